-- Prints one line that bench/load/wrk.ts reads, and makes wrk speak HTTP/1.0 when it is told to.
-- wrk has no option for the version, so the request is written out as a string.
if os.getenv("BENCH_HTTP_VERSION") == "1.0" then
  local text
  request = function()
    if not text then
      text = "GET " .. wrk.path .. " HTTP/1.0\r\nHost: " .. wrk.host .. "\r\nConnection: close\r\n\r\n"
    end
    return text
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("BENCH %d %d %d %d %d %d %d %d %d %d %d",
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9)))
end
