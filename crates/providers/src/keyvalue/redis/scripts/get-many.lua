-- KEYS: the keys; ARGV[1]: the longest value, ARGV[2]: the most bytes in all. Looks before it answers, so that a
-- request of a few bytes cannot make an answer of gigabytes.
local total = 0
for _, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'table' then return length end
  if length > tonumber(ARGV[1]) then return redis.error_reply('LONG ' .. length) end
  total = total + length
  if total > tonumber(ARGV[2]) then return redis.error_reply('LARGE') end
end
return redis.call('MGET', unpack(KEYS))
