-- KEYS: the keys; ARGV[2..]: their values.
for i, key in ipairs(KEYS) do
  local done = redis.pcall('SET', key, ARGV[i + 1])
  if done.err then return done end
end
return redis.status_reply('OK')
