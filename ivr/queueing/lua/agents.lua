-- One agent's state follows from facts that change apart: engaged, present, paused, held back
-- (wrap or cool-down), busy outside. `settle` derives it and keeps the idle set, the crews and
-- the agent's deadline in step.

local function state_of(a)
  if a.token then
    return a.answered and 'talking' or 'offered'
  elseif not a.present or on_leave(a) then
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

-- Where an idle agent is found: in each group by the time they are idle since, and by rank
-- ('#') in a group whose agents have an order.
local function idle_members(a)
  local members = {}
  for group in each(groups_of(a) .. '|*') do
    members[#members + 1] = group .. '|' .. string.format('%013.0f', a.idle) .. '|' .. a.id
    local rank = routing.ranks[group] and routing.ranks[group][a.id]
    if rank then
      members[#members + 1] = '#' .. group .. '|' .. string.format('%04.0f', rank) .. '|' .. a.id
    end
  end
  return table.concat(members, '\n')
end

-- In the idle set while idle, since `at` unless idle before the last offer.
local function settle_idle(a, at)
  local wanted
  if a.state == 'idle' then
    a.idle = a.idle or at
    wanted = idle_members(a)
  elseif a.state ~= 'offered' then
    a.idle = nil
  end
  if a.listed == wanted then
    return
  end
  for member in string.gmatch(a.listed or '', '[^\n]+') do
    redis.call('ZREM', IDLE, member)
  end
  for member in string.gmatch(wanted or '', '[^\n]+') do
    redis.call('ZADD', IDLE, 0, member)
  end
  if wanted then
    freed[#freed + 1] = a.id
  end
  a.listed = wanted
end

-- Counted in its lines' crews while present, not on leave and not on a long or overdue pause.
local function settle_crew(a)
  local there = a.present and not on_leave(a) and (not a.pause or a.short)
  local wanted = there and groups_of(a) or nil
  if wanted ~= a.counted then
    if a.counted then
      count_crew(a.counted, -1)
    end
    if wanted then
      count_crew(wanted, 1)
    end
    a.counted = wanted
  end
end

-- A wrap runs out under a pause too: an agent who goes home from it still owes the word.
local function settle_deadline(a)
  local wanted = a.hold and a.free_at or nil
  if a.pause and (a.short or a.pause == 'missed') then
    wanted = math.min(wanted or a.back, a.back)
  end
  if wanted ~= a.deadline then
    schedule('agent:' .. a.id, wanted)
    a.deadline = wanted
  end
end

local function settle(a, at)
  local state = state_of(a)
  if a.state ~= state then
    a.state, a.since = state, at
  end
  settle_idle(a, at)
  settle_crew(a)
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

-- The agent's last talk: how it went is to be said in wrap-up time, unless it was none.
local function begin_wrap(a, c, void)
  a.extended = nil
  if not void then
    a.done_call, a.done_topic, a.done_caller = c.call, c.topic, c.caller
    a.code, a.to, a.uncoded = nil, nil, routing.coded or nil
  end
  hold_back(a, 'wrap', routing.wrap_ms)
end
