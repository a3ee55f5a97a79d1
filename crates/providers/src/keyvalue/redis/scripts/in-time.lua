-- Refuses what its caller no longer waits for. ARGV[1]: the latest moment to begin, in microseconds of this clock.
local now = redis.call('TIME')
if tonumber(now[1]) * 1000000 + tonumber(now[2]) > tonumber(ARGV[1]) then
  return redis.error_reply('LATE the deadline passed before the command began')
end
