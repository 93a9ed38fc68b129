-- Prints one line that bench/load/wrk.ts reads, and makes the requests that wrk has no options for.
local hosts = tonumber(os.getenv("BENCH_HOSTS")) or 0
local upload = tonumber(os.getenv("BENCH_UPLOAD")) or 0

if os.getenv("BENCH_HTTP_VERSION") == "1.0" then
  -- wrk has no option for the version, so the request is written out as a string.
  local text
  request = function()
    if not text then
      text = "GET " .. wrk.path .. " HTTP/1.0\r\nHost: " .. wrk.host .. "\r\nConnection: close\r\n\r\n"
    end
    return text
  end
elseif hosts > 0 then
  -- A prime step, so that neighbours in a proxy's table are not asked in turn.
  local at = 0
  request = function()
    at = (at + 7919) % hosts
    return "GET " .. wrk.path .. " HTTP/1.1\r\nHost: host-" .. at .. ".bench.internal\r\n\r\n"
  end
elseif upload > 0 then
  wrk.method = "POST"
  wrk.body = string.rep("x", upload)
end

function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("BENCH %d %d %d %d %d %d %d %d %d %d %d %d",
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), summary.bytes))
end
