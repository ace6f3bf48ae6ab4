-- The log of one key (see slidinglog.go): a sorted set of the instants at which
-- its requests were admitted, in whole microseconds of the server's clock.
-- ARGV: limit, period, requests (0 looks)
-- Returns: refused, used, time until the request fits, time until all is over,
-- instant of the last admitted request
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, period, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function at(index)
  return tonumber(redis.call('ZRANGE', KEYS[1], index, index, 'WITHSCORES')[2])
end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - period)
local used = redis.call('ZCARD', KEYS[1])
local last = used > 0 and at(-1) or nil

local over = used + math.max(n, 1) - limit
if over > 0 then
  local wait = used > 0 and at(math.min(over, used) - 1) + period - now or 0
  return {1, used, wait, last and last + period - now or 0, 0}
end

-- No two instants are equal, so that one can be taken back.
for _ = 1, n do
  last = last and math.max(now, last + 1) or now
  redis.call('ZADD', KEYS[1], last, string.format('%.0f', last))
end
if n > 0 then
  redis.call('PEXPIRE', KEYS[1], math.ceil(period / 1000) + 1)
end
return {0, used + n, 0, last and last + period - now or 0, last or 0}
