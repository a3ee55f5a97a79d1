-- KEYS[1]: the key; ARGV[2]: its new value; ARGV[3]: the longest value to show; ARGV[4]: what is expected, left out
-- for an absent key. Answers 1, or 0 and what is there.
local current = redis.pcall('GET', KEYS[1])
if type(current) == 'table' then return current end
if current == (ARGV[4] or false) then
  local done = redis.pcall('SET', KEYS[1], ARGV[2])
  if done.err then return done end
  return {1}
end
if current and #current > tonumber(ARGV[3]) then
  return redis.error_reply('LONG ' .. #current)
end
return {0, current}
