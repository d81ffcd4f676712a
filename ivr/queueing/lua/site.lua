-- What belongs to the site as a whole: its epoch, its routing, the leases of its nodes, and
-- the readings that change nothing.

-- Lays the ground of a new epoch where there is none. Lines of an earlier one stay in the stream.
local function found()
  if site_epoch then
    return false
  end
  redis.call('DEL', SITE, CALLS, AGENTS, OFFERS, DEADLINES, IDLE)
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

-- Topics that are gone from the plan live on while a call of theirs does.
handlers.configure = function()
  local before = routing
  routing = args.routing
  local used = {}
  for _, raw in ipairs(redis.call('HVALS', CALLS)) do
    local topic = cjson.decode(string.sub(raw, 1, string.find(raw, '\n', 1, true) - 1)).topic
    if topic and before.topics[topic] and not routing.topics[topic] then
      used[topic] = before.topics[topic]
    end
  end
  for topic in pairs(routing.topics) do
    if not WAITING[topic] then
      return nil, 'keys missing'
    end
  end
  for topic, groups in pairs(used) do
    routing.topics[topic] = groups
    for _, group in ipairs(groups) do
      routing.groups[group] = routing.groups[group] or {}
      table.insert(routing.groups[group], topic)
    end
  end
  local json = next(used) and cjson.encode(routing) or args.json
  if json == routing_json then
    return false
  end
  redis.call('HSET', SITE, 'routing', json)
  log('configured', {})
  for id in string.gmatch(table.concat(redis.call('ZRANGE', IDLE, 0, -1), '\n'), '|%d+|([^\n]+)') do
    freed[#freed + 1] = id
  end
  return true
end

local function lease_of(node)
  local raw = redis.call('HGET', SITE, 'lease:' .. node)
  return raw and cjson.decode(raw) or { worker = '', free_at = 0, term = 0 }
end

local function lease_reply(l)
  return { 'holder', l.worker, 'until', int(l.free_at), 'term', int(l.term) }
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
  l.worker, l.free_at = args.worker, now + args.ttl
  redis.call('HSET', SITE, 'lease:' .. args.node, cjson.encode(l))
  return lease_reply(l)
end

handlers.unlease = function()
  local l = lease_of(args.node)
  if l.worker ~= args.worker or l.free_at == 0 then
    return false
  end
  l.worker, l.free_at = '', 0
  redis.call('HSET', SITE, 'lease:' .. args.node, cjson.encode(l))
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

readings.dump = function()
  local waiting = {}
  for topic, key in pairs(WAITING) do
    waiting[#waiting + 1] = topic
    waiting[#waiting + 1] = redis.call('ZRANGE', key, 0, -1)
  end
  return {
    redis.call('HGETALL', SITE), redis.call('HVALS', CALLS), redis.call('HVALS', AGENTS),
    redis.call('HVALS', OFFERS), redis.call('ZRANGE', DEADLINES, 0, -1, 'WITHSCORES'),
    redis.call('ZRANGE', IDLE, 0, -1), waiting,
  }
end
