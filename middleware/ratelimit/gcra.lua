-- One bucket (see gcra.go). All times are whole microseconds of the server's
-- clock, which a double holds exactly.
-- ARGV: emission, depth, requests (0 looks, below 0 gives back)
-- Returns: refused, what is in the bucket, how much would not fit
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local emission, depth, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local tat = tonumber(redis.call('GET', KEYS[1]) or now)
tat = math.min(math.max(tat, now), now + depth)

if n < 0 then
  tat = math.max(tat + n * emission, now)
else
  local over = tat + math.max(n, 1) * emission - now - depth
  if over > 0 then
    return {1, tat - now, over}
  end
  tat = tat + n * emission
end

if tat > now then
  redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {0, tat - now, 0}
