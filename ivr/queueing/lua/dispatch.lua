-- Offers: made here and nowhere else. After every command no waiting caller and free agent
-- who could meet are left apart. Each step looks only at the heads of sorted sets.

local function score(c)
  return c.arrival - c.klass * PRIORITY
end

local function enqueue(c)
  c.state = 'waiting'
  redis.call('ZADD', WAITING[c.topic], int(score(c)), c.call)
  returned[#returned + 1] = c.call
  put_call(c)
end

local function dequeue(c)
  redis.call('ZREM', WAITING[c.topic], c.call)
end

local function make_offer(c, a)
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
  dequeue(c)
  c.state, c.token, c.agent = 'offered', o.token, a.id
  put_call(c)
  a.token, a.call = o.token, c.call
  settle(a, now)
  put_offer(o)
  redis.call('ZADD', DEADLINES, int(o.deadline), 'offer:' .. o.token)
  log('offered', { 'call', c.call, 'agent', a.id, 'topic', c.topic, 'token', o.token, 'node', c.node })
  made[#made + 1] = o.token
  tell(c.node, 'offer', cjson.encode(o))
end

-- The offer (or the talk that came of it) is over; both sides are left for the caller to place.
local function close(o)
  local c, a = call_of(o.call), agent_of(o.agent)
  if not o.accepted then
    redis.call('ZREM', DEADLINES, 'offer:' .. o.token)
  end
  drop_offer(o)
  c.token, c.agent = nil, nil
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

-- The oldest caller, over all topics of an agent's groups, whom nobody can take is skipped.
local function oldest_for(a, hopeless)
  local best, seen = nil, {}
  for group in each(a.groups) do
    for _, topic in ipairs(routing.groups[group] or {}) do
      if not seen[topic] then
        seen[topic] = true
        local first = redis.call('ZRANGE', WAITING[topic], 0, 0, 'WITHSCORES')
        local at = tonumber(first[2])
        if first[1] and not hopeless[first[1]]
          and (not best or at < best.at or (at == best.at and first[1] < best.id)) then
          best = { id = first[1], at = at }
        end
      end
    end
  end
  return best
end

local function longest_idle(topic)
  local best, best_since
  for _, group in ipairs(routing.topics[topic] or {}) do
    local member = redis.call('ZRANGEBYLEX', IDLE, '[' .. group .. '|', '(' .. group .. '}', 'LIMIT', 0, 1)[1]
    if member then
      local since = tonumber(string.sub(member, #group + 2, #group + 14))
      local id = string.sub(member, #group + 16)
      if not best or since < best_since or (since == best_since and id < best) then
        best, best_since = id, since
      end
    end
  end
  return best
end

-- Any pair that can meet now holds a caller who came (back) in this step or an agent freed in
-- it. So: of those callers, and of the oldest one that each freed agent can take, always the
-- oldest first, to the longest idle agent who can take that caller.
local function dispatch()
  local picks, hopeless = {}, {}
  while true do
    local best
    local function consider(id, at)
      if not best or at < best.at or (at == best.at and id < best.id) then
        best = { id = id, at = at }
      end
    end
    for _, id in ipairs(returned) do
      local c = call_of(id)
      if c and c.state == 'waiting' and not hopeless[id] then
        consider(id, score(c))
      end
    end
    for _, id in ipairs(freed) do
      if agent_of(id).state == 'idle' then
        local pick = picks[id]
        if pick == nil or (pick and (hopeless[pick.id] or call_of(pick.id).state ~= 'waiting')) then
          pick = oldest_for(agent_of(id), hopeless) or false
          picks[id] = pick
        end
        if pick then
          consider(pick.id, pick.at)
        end
      end
    end
    if not best then
      return
    end
    local c = call_of(best.id)
    local id = longest_idle(c.topic)
    if id then
      make_offer(c, agent_of(id))
    else
      hopeless[best.id] = true
    end
  end
end
