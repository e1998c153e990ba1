#!lua name=gridbeat
-- The only writers of live state. Every call carries the first and the last record number of the journal
-- that it covers; a call that does not follow on what is stored changes nothing and answers {0, what is stored}.
--
-- Keys: head, live, geo, holes, channel. Arguments are counted lists, so that no message has to be parsed here.

-- Seconds that a track may lie ahead of us, whatever the caller's clock says.
local AHEAD = 4 * 24 * 3600

local function expect(head, journal, first)
  local stored = redis.call('HMGET', head, 'journal', 'last')
  local last = tonumber(stored[2] or '0')
  if stored[1] and stored[1] ~= journal then return -1 end
  if first ~= last + 1 then return last end
  return nil
end

-- Lua's unpack has a bound on its stack; lists are handed on in parts.
local function each_part(command, key, list)
  for i = 1, #list, 4000 do
    redis.call(command, key, unpack(list, i, math.min(i + 3999, #list)))
  end
end

-- longitude, latitude, member. The GEO set ends at 85 degrees, and an error half way through a call would leave
-- its first half in and have it refused for ever: a unit beyond is taken out of the set instead.
local function place(key, list)
  local inside, beyond = {}, {}
  for i = 1, #list, 3 do
    local longitude, latitude = tonumber(list[i]), tonumber(list[i + 1])
    if longitude and latitude and math.abs(longitude) <= 180 and math.abs(latitude) <= 85.05 then
      for j = i, i + 2 do inside[#inside + 1] = list[j] end
    else
      beyond[#beyond + 1] = list[i + 2]
    end
  end
  for i = 1, #inside, 3999 do
    redis.call('GEOADD', key, unpack(inside, i, math.min(i + 3998, #inside)))
  end
  each_part('ZREM', key, beyond)
end

-- An entity with empty bytes is removed.
local function put(entities)
  for i = 1, #entities, 3 do
    if entities[i + 2] == '' then
      redis.call('HDEL', entities[i], entities[i + 1])
    else
      redis.call('HSET', entities[i], entities[i + 1], entities[i + 2])
    end
  end
end

local function take(args, at, width)
  local list, n = {}, tonumber(args[at]) * width
  for i = 1, n do list[i] = args[at + i] end
  return list, at + n + 1
end

-- A track's key ends with its hour, and stays until ttl after that hour began: a clock that is ahead begins it early.
local function append(args, at, ttl, limit)
  local n, long = tonumber(args[at]), {}
  local now = tonumber(redis.call('TIME')[1])
  at = at + 1
  for _ = 1, n do
    local key, bytes = args[at], args[at + 1]
    local length = redis.call('APPEND', key, bytes)
    if length == #bytes then
      local ahead = (tonumber(string.match(key, '(%d+)$')) or 0) * 3600 - now
      redis.call('EXPIRE', key, ttl + math.max(0, math.min(ahead, AHEAD)))
    end
    if length > limit then long[#long + 1] = key end
    at = at + 2
  end
  return long, at
end

-- apply: journal first last ttl limit message, live pairs, geo triples, entity triples, track pairs
redis.register_function('gb_apply', function(keys, args)
  local journal, first, last = args[1], tonumber(args[2]), tonumber(args[3])
  local stored = expect(keys[1], journal, first)
  if stored then return {0, stored} end
  local live, geo, entities, long
  local at = 7
  live, at = take(args, at, 2)
  geo, at = take(args, at, 3)
  entities, at = take(args, at, 3)
  long, at = append(args, at, args[4], tonumber(args[5]))
  each_part('HSET', keys[2], live)
  place(keys[3], geo)
  put(entities)
  redis.call('HSET', keys[1], 'journal', journal, 'last', args[3])
  redis.call('PUBLISH', keys[5], args[6])
  return {1, last, long}
end)

-- restore: journal first last message, live pairs, geo triples, entity triples. Writes the state that the
-- server holds in memory, whatever was there; the points first..last become a hole that gb_fill closes.
-- It takes several calls: last = -2 clears what was there, head included, so that a restore that breaks off
-- is seen as one; with last = -1 more parts follow.
redis.register_function('gb_restore', function(keys, args)
  local at = 5
  if tonumber(args[3]) == -2 then
    redis.call('DEL', keys[1], keys[2], keys[3])
    if tonumber(args[2]) == 1 then redis.call('DEL', keys[4]) end
    return {1, 0}
  end
  local live, geo, entities
  live, at = take(args, at, 2)
  geo, at = take(args, at, 3)
  entities, at = take(args, at, 3)
  each_part('HSET', keys[2], live)
  place(keys[3], geo)
  put(entities)
  if tonumber(args[3]) >= 0 then
    redis.call('HSET', keys[1], 'journal', args[1], 'last', args[3])
    if tonumber(args[2]) <= tonumber(args[3]) then redis.call('HSET', keys[4], args[2], args[3]) end
  end
  redis.call('PUBLISH', keys[5], args[4])
  return {1, tonumber(args[3])}
end)

-- fill: journal first last ttl limit, track pairs. Adds the points first..last of a hole and makes it smaller.
-- Answers {0, where the hole ends} when it ends before last: what is beyond is in the tracks already.
redis.register_function('gb_fill', function(keys, args)
  local first, last = args[2], tonumber(args[3])
  if redis.call('HGET', keys[1], 'journal') ~= args[1] then return {0, -1} end
  local stored = redis.call('HGET', keys[4], first)
  if not stored then return {0, 0} end
  if last > tonumber(stored) then return {0, tonumber(stored)} end
  local long = append(args, 6, args[4], tonumber(args[5]))
  redis.call('HDEL', keys[4], first)
  if tonumber(stored) > last then redis.call('HSET', keys[4], tostring(last + 1), stored) end
  return {1, last, long}
end)

-- forget: unit message, entity triples. The unit is in live state no longer; its tracks are keys of their own.
redis.register_function('gb_forget', function(keys, args)
  redis.call('HDEL', keys[2], args[1])
  redis.call('ZREM', keys[3], args[1])
  put((take(args, 3, 3)))
  redis.call('PUBLISH', keys[5], args[2])
  return {1}
end)

-- amend: message, live pairs, geo triples (without numbers: nowhere). Takes the place of what was there.
redis.register_function('gb_amend', function(keys, args)
  local live, at = take(args, 2, 2)
  local geo = take(args, at, 3)
  each_part('HSET', keys[2], live)
  place(keys[3], geo)
  redis.call('PUBLISH', keys[5], args[1])
  return {1}
end)

-- compact: key, old length, new bytes. Replaces a track by its distinct records unless it has grown meanwhile.
redis.register_function('gb_compact', function(keys, args)
  if redis.call('STRLEN', keys[1]) ~= tonumber(args[1]) then return 0 end
  redis.call('SET', keys[1], args[2], 'KEEPTTL')
  return 1
end)
