-- What belongs to the site as a whole: its epoch, its routing, the leases of its nodes, and
-- the readings that change nothing.

-- Lays the ground of a new epoch where there is none. Lines of an earlier one stay in the stream.
local function found()
  if site_epoch then
    return false
  end
  redis.call('DEL', SITE, CALLS, AGENTS, OFFERS, DEADLINES, IDLE, KNOWN)
  for _, key in pairs(WAITING) do
    redis.call('DEL', key)
  end
  local last = redis.call('XREVRANGE', EVENTS, '+', '-', 'COUNT', 1)[1]
  if last then
    now = math.max(now, tonumber(string.match(last[1], '^%d+')))
  end
  redis.call('HSET', SITE, 'epoch', epoch, 'clock', int(now))
  clock, site_epoch = now, epoch
  log('founded', { 'epoch', epoch })
  return true
end

local function serves(groups, line)
  for _, group in ipairs(groups) do
    routing.groups[group] = routing.groups[group] or {}
    table.insert(routing.groups[group], line)
  end
end

-- Counts every crew anew, and finds every agent where and as the routing now has them.
local function muster(before)
  for topic, known in pairs(before.topics) do
    for step = 0, #known.steps - 1 do
      redis.call('HDEL', SITE, 'crew:' .. line_of(topic, step))
    end
  end
  for _, id in ipairs(redis.call('HKEYS', AGENTS)) do
    local a, listed = agent_of(id), nil
    local state = a.state
    a.counted, listed = nil, a.listed
    settle(a, now)
    if listed and a.listed then
      freed[#freed + 1] = id
    end
    if a.state ~= state then
      log_agent(a, on_leave(a) and 'leave' or 'back')
    end
  end
end

-- Topics that are gone from the plan live on while a call of theirs does. Whoever waits is
-- placed anew by the new widening.
handlers.configure = function()
  local before = routing
  routing = args.routing
  local playing, used = {}, {}
  for _, id in ipairs(redis.call('HKEYS', CALLS)) do
    local c = call_of(id)
    if c.state == 'waiting' or c.state == 'offered' then
      playing[#playing + 1] = c
    end
    if c.topic and before.topics[c.topic] and not routing.topics[c.topic] then
      used[c.topic] = before.topics[c.topic]
    end
  end
  for topic, known in pairs(routing.topics) do
    for step = 0, #known.steps - 1 do
      if not WAITING[line_of(topic, step)] then
        return nil, 'keys missing'
      end
    end
  end
  local kept = {}
  for topic, known in pairs(used) do
    kept[#kept + 1] = topic
    routing.topics[topic] = known
    for step = 0, #known.steps - 1 do
      serves(known.steps[step + 1].groups, line_of(topic, step))
    end
  end
  -- Encoded again, the same routing can read otherwise: what it was made of tells.
  table.sort(kept)
  local source = args.json .. '\n' .. table.concat(kept, '|')
  if source == redis.call('HGET', SITE, 'routing_source') then
    routing = before
    return false
  end
  redis.call('HSET', SITE, 'routing', kept[1] and cjson.encode(routing) or args.json, 'routing_source', source)
  log('configured', {})
  muster(before)
  for _, c in ipairs(playing) do
    local step = c.step
    if c.listed then -- what a reason is worth may be another
      redis.call('ZREM', WAITING[c.listed], c.call)
      c.listed = nil
    end
    c.step = 0
    widen(c, true)
    if c.step ~= step then
      log('widened', { 'call', c.call, 'topic', c.topic, 'step', int(c.step), 'why', 'plan' })
    end
  end
  for topic in pairs(routing.topics) do
    watch_empty(topic)
  end
  turned = {}
  return true
end

local function lease_reply(l)
  return { 'holder', l.worker, 'until', int(l.free_at), 'term', int(l.term), 'now', int(now) }
end

handlers.lease = function()
  local l = lease_of(args.node)
  if l.worker ~= args.worker and l.free_at > now then
    return lease_reply(l)
  end
  if l.worker ~= args.worker or l.free_at <= now then
    l.term = l.term + 1
    log('lease', { 'node', args.node, 'worker', args.worker, 'term', int(l.term) })
  end
  l.worker = args.worker
  keep_lease(args.node, l, now + args.ttl)
  return lease_reply(l)
end

handlers.unlease = function()
  local l = lease_of(args.node)
  if l.worker ~= args.worker or l.free_at == 0 then
    return false
  end
  l.worker = ''
  keep_lease(args.node, l, 0)
  log('unlease', { 'node', args.node, 'worker', args.worker })
  return true
end

local readings = {}

readings.status = function()
  local reply = place(call_of(args.call))
  local raw = redis.call('HGET', CALLS, args.call)
  return { reply, raw or '' }
end

readings.calls_of = function()
  local found_calls = {}
  for _, raw in ipairs(redis.call('HVALS', CALLS)) do
    local c = cjson.decode(string.sub(raw, 1, string.find(raw, '\n', 1, true) - 1))
    if c.node == args.node then
      found_calls[#found_calls + 1] = raw
    end
  end
  return found_calls
end

readings.people = function()
  return redis.call('HVALS', AGENTS)
end

readings.dump = function()
  local waiting = {}
  for line, key in pairs(WAITING) do
    waiting[#waiting + 1] = line
    waiting[#waiting + 1] = redis.call('ZRANGE', key, 0, -1)
  end
  return {
    redis.call('HGETALL', SITE), redis.call('HVALS', CALLS), redis.call('HVALS', AGENTS),
    redis.call('HVALS', OFFERS), redis.call('ZRANGE', DEADLINES, 0, -1, 'WITHSCORES'),
    redis.call('ZRANGE', IDLE, 0, -1), waiting, redis.call('HGETALL', KNOWN),
  }
end
