-- KEYS[1]: the counter; ARGV[2]: what to add. Answers its digits: a number would lose those beyond 53 bits.
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(sum) == 'table' then return sum end
return redis.call('GET', KEYS[1])
