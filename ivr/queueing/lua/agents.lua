-- One agent's state follows from facts that change apart: engaged, present, paused, held back
-- (wrap or cool-down), busy outside. `settle` derives it and keeps the idle set, the staff
-- counts and the agent's deadline in step.

local function state_of(a)
  if a.token then
    return a.answered and 'talking' or 'offered'
  elseif not a.present then
    return 'away'
  elseif a.pause then
    return 'paused'
  elseif a.hold then
    return a.hold
  elseif a.busy then
    return 'busy'
  end
  return 'idle'
end

local function idle_member(group, a)
  return group .. '|' .. string.format('%013.0f', a.idle) .. '|' .. a.id
end

-- In the idle set of its groups while idle, since `at` unless idle before the last offer.
local function settle_idle(a, at)
  local wanted = a.state == 'idle' and a.groups or nil
  if a.listed and a.listed ~= wanted then
    for group in each(a.listed) do
      redis.call('ZREM', IDLE, idle_member(group, a))
    end
  end
  if a.state == 'idle' then
    a.idle = a.idle or at
    if a.listed ~= wanted then
      for group in each(wanted) do
        redis.call('ZADD', IDLE, 0, idle_member(group, a))
      end
      freed[#freed + 1] = a.id
    end
  elseif a.state ~= 'offered' then
    a.idle = nil
  end
  a.listed = wanted
end

-- Counted as staff of its groups while present and not on a long or overdue pause.
local function settle_staff(a)
  local wanted = a.present and (not a.pause or a.short) and a.groups or nil
  if wanted ~= a.counted then
    for group in each(a.counted) do
      redis.call('HINCRBY', SITE, 'staff:' .. group, -1)
    end
    for group in each(wanted) do
      redis.call('HINCRBY', SITE, 'staff:' .. group, 1)
    end
    a.counted = wanted
  end
end

local function settle_deadline(a)
  local wanted
  if a.pause then
    wanted = a.short and a.back or nil
  elseif a.hold then
    wanted = a.free_at
  end
  if wanted ~= a.deadline then
    if wanted then
      redis.call('ZADD', DEADLINES, int(wanted), 'agent:' .. a.id)
    else
      redis.call('ZREM', DEADLINES, 'agent:' .. a.id)
    end
    a.deadline = wanted
  end
end

local function settle(a, at)
  local state = state_of(a)
  if a.state ~= state then
    a.state, a.since = state, at
  end
  settle_idle(a, at)
  settle_staff(a)
  settle_deadline(a)
  put_agent(a)
end

local function hold_back(a, kind, ms)
  if ms > 0 then
    a.hold, a.free_at = kind, now + ms
  else
    a.hold, a.free_at = nil, nil
  end
end

local function disengage(a)
  a.token, a.call, a.answered = nil, nil, nil
end

local function newcomer(id)
  return { id = id, groups = '', node = '', present = false, misses = 0, since = now }
end

local function log_agent(a, reason)
  log('agent', { 'agent', a.id, 'state', a.state, 'reason', reason, 'node', a.node })
end

local function staffed(topic)
  for _, group in ipairs(routing.topics[topic] or {}) do
    if tonumber(redis.call('HGET', SITE, 'staff:' .. group) or '0') > 0 then
      return true
    end
  end
  return false
end
