-- Appends the values ARGV[2] and on to the stream KEYS[1], if its newest entry is
-- still ARGV[1] ('': there is none), so that of many who put the same back one
-- does. Gives 1 where it did.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local id = ''
if newest[1] then
	id = newest[1][1]
end
if id ~= ARGV[1] then
	return 0
end
for i = 2, #ARGV do
	redis.call('XADD', KEYS[1], '*', 'order', ARGV[i])
end
return 1
