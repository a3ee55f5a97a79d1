-- KEYS: the keys.
for _, key in ipairs(KEYS) do
  local done = redis.pcall('DEL', key)
  if type(done) == 'table' then return done end
end
return redis.status_reply('OK')
