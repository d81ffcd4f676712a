-- What is remembered of a caller (by ref, never a number) and a topic: calls in vain of the last
-- day, and for a week the agent who owes an answer.
local DAY = 86400000
local WEEK = 7 * DAY
local FAILURES = 2

local function known_of(ref, topic)
  local raw = redis.call('HGET', KNOWN, ref .. '|' .. topic)
  return raw and cjson.decode(raw) or { fails = {} }
end

local function keep_known(ref, topic, k)
  local field = ref .. '|' .. topic
  local fails, last = {}, nil
  for _, at in ipairs(k.fails) do
    if at + DAY > now then
      fails[#fails + 1] = at
      last = at + DAY
    end
  end
  while #fails > FAILURES do
    table.remove(fails, 1)
  end
  k.fails = fails
  if k.owner and k.owned + WEEK <= now then
    k.owner, k.owned = nil, nil
  end
  if k.owner then
    last = math.max(last or 0, k.owned + WEEK)
  end
  if last then
    redis.call('HSET', KNOWN, field, cjson.encode(k))
  else
    redis.call('HDEL', KNOWN, field)
  end
  schedule('known:' .. field, last)
end

-- The call was answered, or not: two in vain give the third one the right of way.
local function remember_try(c, outcome)
  if not c.caller or not c.topic then
    return
  end
  if outcome == 'left' or outcome == 'promised' then
    local k = known_of(c.caller, c.topic)
    k.fails[#k.fails + 1] = now
    keep_known(c.caller, c.topic, k)
  elseif outcome == 'answered' then
    local k = known_of(c.caller, c.topic)
    if k.fails[1] then
      k.fails = {}
      keep_known(c.caller, c.topic, k)
    end
  end
end

local function remember_owner(a, owes)
  if not a.done_caller then
    return
  end
  local k = known_of(a.done_caller, a.done_topic)
  if owes then
    k.owner, k.owned = a.id, now
  elseif k.owner then
    k.owner, k.owned = nil, nil
  else
    return
  end
  keep_known(a.done_caller, a.done_topic, k)
end

local function tries_in_vain(ref, topic)
  local count = 0
  for _, at in ipairs(known_of(ref, topic).fails) do
    if at + DAY > now then
      count = count + 1
    end
  end
  return count
end

local function owner_of(ref, topic)
  local k = known_of(ref, topic)
  return k.owner and k.owned + WEEK > now and k.owner or nil
end

-- The wrap is over and the agent has not said how the talk went: its file stays with them.
local function conclude(a)
  if a.uncoded then
    a.uncoded = nil
    remember_owner(a, true)
    log('unresolved', { 'call', a.done_call, 'agent', a.id, 'topic', a.done_topic, 'caller', a.done_caller })
  end
end
