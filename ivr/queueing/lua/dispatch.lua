-- Offers: made here and nowhere else. After every command no waiting caller and free agent who
-- could meet are left apart. Each step looks only at the heads of sorted sets: O(log n) in
-- callers and agents.
--
-- One order for all lines: callers whom nobody rings before those who could ring one phone more,
-- then by arrival, which a reason for right of way moves forward by a bounded time.
local RINGING = 1e15

local function ringing_count(c)
  local _, count = string.gsub(c.ringing or '', '[^|]+', '')
  return count
end

local function score(c)
  local at = c.arrival - (c.reason and routing.boost_ms or 0)
  return c.ringing and at + RINGING or at
end

-- The call's state and its place in the lines follow from its record.
local function settle_call(c)
  local wanted, low
  if c.state == 'waiting' or c.state == 'offered' then
    c.state = c.ringing and 'offered' or 'waiting'
    if not c.ringing or ringing_count(c) < routing.topics[c.topic].at_once then
      wanted, low = line_of(c.topic, c.step), c.ringing and true or nil
    end
  end
  if c.listed and (c.listed ~= wanted or c.low ~= low) then
    redis.call('ZREM', WAITING[c.listed], c.call)
  end
  if wanted then
    if c.listed ~= wanted or c.low ~= low then
      redis.call('ZADD', WAITING[wanted], int(score(c)), c.call)
    end
    returned[#returned + 1] = c.call
  end
  c.listed, c.low = wanted, low
  put_call(c)
end

-- All guards look at the same instants: one reap for all who wait, not one for each.
local function next_guard()
  return now - now % routing.guard_ms + routing.guard_ms
end

local function settle_clocks(c)
  local widen_at, guard_at
  if c.state == 'waiting' or c.state == 'offered' then
    local topic = routing.topics[c.topic]
    local following = topic.steps[c.step + 2]
    widen_at = following and c.since + following.after or nil
    if not c.told and (topic.wait or topic.ratio) then
      guard_at = c.guard_at or next_guard()
    end
  end
  if c.widen_at ~= widen_at then
    schedule('call:' .. c.call, widen_at)
  end
  if c.guard_at ~= guard_at then
    schedule('guard:' .. c.call, guard_at)
  end
  c.widen_at, c.guard_at = widen_at, guard_at
  put_call(c)
end

-- Every step whose time has come, and every one whose groups so far have nobody there.
local function widen(c, silent)
  local steps = routing.topics[c.topic].steps
  while steps[c.step + 2] do
    local why
    if now - c.since >= steps[c.step + 2].after then
      why = 'time'
    elseif crew(line_of(c.topic, c.step)) == 0 then
      why = 'empty'
    else
      break
    end
    c.step = c.step + 1
    if not silent then
      log('widened', { 'call', c.call, 'topic', c.topic, 'step', int(c.step), 'why', why })
    end
  end
  settle_call(c)
  settle_clocks(c)
end

-- In play (again), with the arrival and the wait that it came with.
local function enter_line(c, step)
  c.state, c.step = 'waiting', step
  widen(c)
end

local function waits_for(topic)
  for step = 0, #routing.topics[topic].steps - 1 do
    if redis.call('ZCARD', WAITING[line_of(topic, step)]) > 0 then
      return true
    end
  end
  return false
end

-- Whoever waits for a topic without anybody is told so, if nobody comes soon.
local function watch_empty(topic)
  local at = not staffed(topic) and waits_for(topic) and now + routing.empty_grace_ms or nil
  schedule('empty:' .. topic, at)
end

local function leave_line(c, state)
  c.state, c.told = state, nil
  settle_call(c)
  settle_clocks(c)
  if c.topic and not staffed(c.topic) and not waits_for(c.topic) then
    schedule('empty:' .. c.topic, nil)
  end
end

local function make_offer(c, a, rule)
  seq = math.max(seq + 1, now)
  local ring_until = now + routing.ring_ms
  local o = {
    token = epoch .. ':' .. int(seq),
    call = c.call,
    node = c.node,
    agent = a.id,
    agent_node = a.node,
    topic = c.topic,
    made = now,
    ring_until = ring_until,
    deadline = ring_until + routing.grace_ms,
  }
  c.ringing = (c.ringing and c.ringing .. '|' or '') .. o.token .. ' ' .. a.id
  settle_call(c)
  a.token, a.call = o.token, c.call
  settle(a, now)
  put_offer(o)
  schedule('offer:' .. o.token, o.deadline)
  log('offered', {
    'call', c.call, 'agent', a.id, 'topic', c.topic, 'token', o.token, 'node', c.node,
    'step', int(c.step), 'rule', rule, 'reason', c.reason,
  })
  made[#made + 1] = o.token
  tell(c.node, 'offer', cjson.encode(o))
end

-- The offer (or the talk that came of it) is over; both sides are left for the caller to place.
local function close(o)
  local c, a = call_of(o.call), agent_of(o.agent)
  if not o.accepted then
    schedule('offer:' .. o.token, nil)
    local rest = {}
    for part in each(c.ringing) do
      if string.sub(part, 1, #o.token + 1) ~= o.token .. ' ' then
        rest[#rest + 1] = part
      end
    end
    c.ringing = rest[1] and table.concat(rest, '|') or nil
  else
    c.token, c.agent = nil, nil
  end
  drop_offer(o)
  put_call(c)
  disengage(a)
  put_agent(a)
  return c, a
end

-- A live offer ends unanswered: whoever rings the phone is told to stop, except `quiet`ly the
-- worker whose own command this is.
local function withdraw(o, reason, quiet)
  local json = cjson.encode({
    token = o.token, call = o.call, node = o.node, agent = o.agent,
    agent_node = o.agent_node, topic = o.topic, reason = reason,
  })
  if not quiet then
    withdrawn[#withdrawn + 1] = json
  end
  tell(o.node, 'withdrawn', json)
  log('withdrawn', {
    'call', o.call, 'agent', o.agent, 'topic', o.topic, 'token', o.token, 'reason', reason,
  })
  return close(o)
end

-- Every phone that rings for the call stops; its agents are as idle as before.
local function silence(c, reason)
  for part in each(c.ringing) do
    local o = offer_of(string.match(part, '^%S+'))
    local _, a = withdraw(o, reason)
    settle(a, now)
  end
end

local function announce(c, kind)
  local json = cjson.encode({ call = c.call, node = c.node, kind = kind })
  news[#news + 1] = json
  tell(c.node, 'news', json)
end

-- The oldest caller over all lines of an agent's groups.
local function oldest_for(a)
  local best
  each_line(groups_of(a), function(line)
    local first = redis.call('ZRANGE', WAITING[line], 0, 0, 'WITHSCORES')
    local at = tonumber(first[2])
    if first[1] and (not best or at < best.at or (at == best.at and first[1] < best.id)) then
      best = { id = first[1], at = at }
    end
  end)
  return best
end

local function first_idle(prefix)
  return redis.call('ZRANGEBYLEX', IDLE, '[' .. prefix .. '|', '(' .. prefix .. '}', 'LIMIT', 0, 1)[1]
end

-- Whom the caller is offered to, and by which rule.
local function choose(c)
  local owner = prefer[c.call]
  if owner and agent_of(owner).state == 'idle' then
    return owner, 'owner'
  end
  local topic = routing.topics[c.topic]
  local groups = topic.steps[c.step + 1].groups
  for _, group in ipairs(topic.ordered and groups or {}) do
    local member = first_idle('#' .. group)
    if member then
      return string.match(member, '([^|]*)$'), 'ordered'
    end
  end
  local best, best_since
  for _, group in ipairs(groups) do
    local member = first_idle(group)
    if member then
      local since, id = string.match(member, '|(%d+)|(.*)$')
      since = tonumber(since)
      if not best or since < best_since or (since == best_since and id < best) then
        best, best_since = id, since
      end
    end
  end
  return best, topic.at_once > 1 and 'ring-many' or 'longest-idle'
end

local function sooner(x, y)
  return x.at < y.at or (x.at == y.at and x.id < y.id)
end

-- The callers who came (back) in this step, in order.
local function line_up()
  local queue, seen = {}, {}
  for _, id in ipairs(returned) do
    local c = call_of(id)
    if c and c.listed and not seen[id] then
      seen[id] = true
      queue[#queue + 1] = { id = id, at = score(c) }
    end
  end
  table.sort(queue, sooner)
  return queue
end

-- The first caller whom one of the freed agents can take; agents without any drop out.
local function first_for(idle, picks)
  local best
  for i = #idle, 1, -1 do
    local id = idle[i]
    local a, pick = agent_of(id), picks[id]
    local c = pick and call_of(pick.id)
    if a.state == 'idle' and (not pick or not c.listed or score(c) ~= pick.at) then
      pick = oldest_for(a)
      picks[id] = pick
    end
    if a.state ~= 'idle' or not pick then
      table.remove(idle, i)
    elseif not best or sooner(pick, best) then
      best = pick
    end
  end
  return best
end

-- Any pair that can meet now holds a caller who came (back) in this step or an agent freed in
-- it. So: of those callers, and of the oldest one that each freed agent can take, always the
-- first in order, to the agent whom that caller's topic wants. A line that nobody idle serves is
-- dry for all its callers.
local function dispatch()
  local queue, head, dry = line_up(), 1, {}
  local idle, picks = {}, {}
  for _, id in ipairs(freed) do
    if not picks[id] and agent_of(id).state == 'idle' then
      picks[id] = oldest_for(agent_of(id))
      idle[#idle + 1] = picks[id] and id or nil
    end
  end
  while true do
    local own = queue[head]
    local best = first_for(idle, picks)
    if own and (not best or not sooner(best, own)) then
      head = head + 1
      local c = call_of(own.id)
      local stale = not c.listed or score(c) ~= own.at or (dry[c.listed] and not prefer[own.id])
      best = not stale and own or nil
    elseif not best then
      return
    end
    if best then
      local c = call_of(best.id)
      local id, rule = choose(c)
      if id then
        make_offer(c, agent_of(id), rule)
        if c.listed then -- a ring-many caller who could ring one phone more
          local again, at = { id = c.call, at = score(c) }, #queue + 1
          while at > head and sooner(again, queue[at - 1]) do
            at = at - 1
          end
          table.insert(queue, at, again)
        end
      elseif best == own then
        dry[c.listed] = true
      else
        return -- a free agent whom nothing leads to: never a reason to look for ever
      end
    end
  end
end

-- Before the dispatch: nobody stays at a step whose groups have all gone, if there is another.
local function follow_the_crews()
  for line in pairs(turned) do
    local topic, step = string.match(line, '^(.*)~(%d+)$')
    local known = routing.topics[topic]
    if known and known.steps[tonumber(step) + 2] then
      if crew(line) == 0 then
        for _, id in ipairs(redis.call('ZRANGE', WAITING[line], 0, -1)) do
          widen(call_of(id))
        end
      end
    elseif known then
      watch_empty(topic)
    end
  end
end
