-- What wrk sends. The environment says it: BENCH_METHOD, BENCH_PATHS (one or
-- more, taken in turns), BENCH_BODY (a file), BENCH_TOKENS (a file, one a line).
-- With BENCH_ONCE each token is used once, and the run ends when there are no more.
local method = os.getenv("BENCH_METHOD") or "GET"
local paths, tokens, requests = {}, {}, {}
local once = os.getenv("BENCH_ONCE") == "1"
local next_one = 0

for path in (os.getenv("BENCH_PATHS") or "/"):gmatch("%S+") do paths[#paths + 1] = path end

local body = ""
if (os.getenv("BENCH_BODY") or "") ~= "" then
  local f = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
  body = f:read("*a")
  f:close()
end

local function head(path)
  local text = method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: wrk\r\nAccept: */*\r\n"
  if body ~= "" then text = text .. "Content-Type: text/plain\r\nContent-Length: " .. #body .. "\r\n" end
  return text
end

function init(_)
  if (os.getenv("BENCH_TOKENS") or "") ~= "" then
    for line in io.lines(os.getenv("BENCH_TOKENS")) do tokens[#tokens + 1] = line end
  end
  if once then return end
  local n = math.max(#paths, #tokens)
  for i = 1, n do
    local text = head(paths[(i - 1) % #paths + 1])
    if #tokens > 0 then text = text .. "Authorization: Bearer " .. tokens[(i - 1) % #tokens + 1] .. "\r\n" end
    requests[i] = text .. "\r\n" .. body
  end
end

local heads = {}
for i, path in ipairs(paths) do heads[i] = head(path) .. "Authorization: Bearer " end
local tail = "\r\n\r\n" .. body

function request()
  next_one = next_one + 1
  if not once then
    if next_one > #requests then next_one = 1 end
    return requests[next_one]
  end
  local token = tokens[next_one]
  if not token then
    wrk.thread:stop()
    token = tokens[#tokens]
  end
  return heads[next_one % #heads + 1] .. token .. tail
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"us":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, summary.bytes, e.connect, e.read, e.write, e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
