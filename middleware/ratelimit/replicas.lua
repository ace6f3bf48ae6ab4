-- Who is there: a sorted set of replicas by the instant until which they are
-- counted, in microseconds of the server's clock.
-- ARGV: replica, for how long it is there from now on (0: it goes)
-- Returns: how many are there
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lasts = tonumber(ARGV[2])

local is = redis.call('TYPE', KEYS[1]).ok
if is ~= 'zset' and is ~= 'none' then
  redis.call('DEL', KEYS[1])
end
if lasts > 0 then
  -- First of all, for a Redis that is full then refuses, as it does to count.
  redis.call('ZADD', KEYS[1], now + lasts, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], 2 * math.ceil(lasts / 1000))
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 10 * math.max(lasts, 1000000), '+inf') -- nobody is that sure
return redis.call('ZCARD', KEYS[1])
