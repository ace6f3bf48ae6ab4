-- One request, asked of all rules at once: it counts for all of them or, where
-- one that is enforced refuses, for none.
--
-- KEYS: one per rule. ARGV, five per rule: algorithm, enforced (0: shadow), n
-- (requests at once; 0 looks), and two numbers: of gcra the emission and the
-- depth, else the limit and the period. All times are whole microseconds of the
-- server's clock, which a double holds exactly.
-- Returns four per rule: refused, what is left, how long until n fit, how long
-- until nothing is counted any more.
--
-- What others have written to a key (another type, no number, no time to live, a
-- time far ahead) counts as nothing, so that it refuses nobody for ever.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function read(command, key, ...)
  local v = redis.pcall(command, key, ...)
  if type(v) ~= 'table' or not v.err then
    return v
  elseif not string.find(v.err, 'WRONGTYPE', 1, true) then
    error(v.err, 0)
  end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

local function number(v)
  v = tonumber(v)
  if v and v == v and math.abs(v) < 2^53 then
    return v
  end
end

-- Each algorithm gives its answer, and what counts the request.

-- A bucket that leaks (gcra.go): the instant when it will be empty.
local function gcra(key, n, emission, depth)
  local tat = number(read('GET', key) or now) or now
  tat = math.min(math.max(tat, now), now + depth)
  local over = tat + math.max(n, 1) * emission - now - depth
  local function left() return math.floor((depth - (tat - now)) / emission) end
  if over > 0 then
    return {1, left(), over, tat - now}
  end
  tat = tat + n * emission
  return {0, left(), 0, tat - now}, function()
    redis.call('SET', key, string.format('%.0f', tat), 'PX', math.max(math.ceil((tat - now) / 1000), 1))
  end
end

-- A log (slidinglog.go): a sorted set of the instants of what was admitted.
local function log(key, n, limit, period)
  read('ZREMRANGEBYSCORE', key, '-inf', now - period)
  redis.call('ZREMRANGEBYSCORE', key, now + period, '+inf')
  local used = redis.call('ZCARD', key)
  local function at(index)
    return number(redis.call('ZRANGE', key, index, index, 'WITHSCORES')[2]) or now
  end
  local last = used > 0 and at(-1) or now - period
  local over = used + math.max(n, 1) - limit
  if over > 0 then
    local wait = used > 0 and at(math.min(over, used) - 1) + period - now or 0
    return {1, limit - used, wait, last + period - now}
  end
  local first = math.max(now, last + 1) -- members are instants, and no two equal
  local newest = n > 0 and first + n - 1 or last
  return {0, limit - used - n, 0, newest + period - now}, function()
    for from = 0, n - 1, 1000 do
      local pairs = {}
      for i = from, math.min(from + 999, n - 1) do
        pairs[#pairs + 1] = first + i
        pairs[#pairs + 1] = string.format('%.0f', first + i)
      end
      redis.call('ZADD', key, unpack(pairs))
    end
    redis.call('PEXPIRE', key, math.ceil((newest + period - now) / 1000) + 1)
  end
end

-- A count that goes when its window is over.
local function window(key, n, limit, period)
  local used = number(read('GET', key) or 0) or 0
  local left, whole = redis.call('PTTL', key), math.ceil(period / 1000)
  if left <= 0 or left > whole or used < 0 then
    used, left = 0, 0
  end
  if used + math.max(n, 1) > limit then
    return {1, limit - used, left * 1000, left * 1000}
  end
  if left == 0 and n > 0 then
    left = whole
  end
  return {0, limit - used - n, 0, left * 1000}, function()
    redis.call('SET', key, string.format('%.0f', used + n), 'PX', left)
  end
end

local algorithms = {gcra = gcra, sliding_log = log, fixed_window = window}
local answers, counts, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local a = 5 * (i - 1)
  local n = tonumber(ARGV[a + 3])
  local answer, count = algorithms[ARGV[a + 1]](key, n, tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]))
  for j = 1, 4 do
    answers[4 * (i - 1) + j] = answer[j]
  end
  if answer[1] == 1 then
    refused = refused or ARGV[a + 2] == '1'
  elseif n > 0 then
    counts[#counts + 1] = count
  end
end
if not refused then
  for _, count in ipairs(counts) do
    count()
  end
end
return answers
