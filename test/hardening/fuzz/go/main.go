// A server and a client on Go's own HTTP/1 parser, for the differential fuzzer. What they read goes to standard output, one
// JSON object a line.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

var out sync.Mutex

func say(v any) {
	line, _ := json.Marshal(v)
	out.Lock()
	defer out.Unlock()
	fmt.Println(string(line))
}

type seen struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Body   string `json:"body"`
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	server := &http.Server{
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               1 << 20,
		ErrorLog:                     nil,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			say(seen{r.Method, r.RequestURI, hex.EncodeToString(body)})
			w.Header().Set("Content-Length", "0")
		}),
	}
	// Who started it closes its standard input when done.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = server.Serve(listener)
}

type read struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
	Body   string `json:"body"`
	Error  string `json:"error"`
}

func fetch() {
	client := &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		url := lines.Text()
		result := read{ID: url}
		response, err := client.Get(url)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
			result.Status = response.StatusCode
			result.Body = hex.EncodeToString(body)
		}
		if err != nil {
			result.Error = err.Error()
		}
		say(result)
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "fetch" {
		fetch()
	} else {
		serve()
	}
}
