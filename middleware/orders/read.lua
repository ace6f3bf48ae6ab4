-- Reads the stream KEYS[1] from the entry ARGV[1] on, that one included: at most
-- ARGV[2] entries and about ARGV[4] bytes. Gives whether that is all, and then
-- the id and the value of each. A value of more than ARGV[3] bytes, and what is
-- no order, is empty: nobody reads it, and it must not keep others from being read.
local count, longest, room = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', count)
local out = {#entries < count and '1' or '0'}
for i, entry in ipairs(entries) do
	local fields, value = entry[2], ''
	if #fields == 2 and fields[1] == 'order' and #fields[2] <= longest then
		value = fields[2]
	end
	room = room - #value
	if room < 0 and i > 2 then
		out[1] = '0'
		break
	end
	out[#out + 1] = entry[1]
	out[#out + 1] = value
end
return out
