-- The state of one session (see shared.go), which is put in place of another
-- only where nobody has changed that meanwhile.
-- ARGV: what it was, "" for nothing; what it is to be; milliseconds to keep it.
-- Without ARGV it is only looked at.
-- Returns: whether it was put there; the server's clock in microseconds, which a
-- double holds exactly; what is there now
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local is = redis.call('GET', KEYS[1]) or ''
if ARGV[1] ~= is then
  return {0, now, is}
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {1, now, ARGV[2]}
