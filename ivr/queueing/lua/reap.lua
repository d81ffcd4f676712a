-- Everything whose time has come, in the order of its time. Dispatch comes after all of it.

local reapers = {}

reapers.offer = function(token)
  if offer_of(token) then
    lose(offer_of(token), 'expired')
    return 'expired'
  end
end

reapers.agent = function(id)
  local a = agent_of(id)
  if not a or not a.deadline or a.deadline > now then
    return
  end
  while a.deadline and a.deadline <= now do
    local at, reason = a.deadline, 'rested'
    if a.hold and a.free_at <= at then
      if a.hold == 'wrap' then
        conclude(a)
      end
      a.hold, a.free_at = nil, nil
    elseif a.pause == 'missed' then
      a.pause, a.back = nil, nil
    else
      a.short, reason = nil, 'overdue'
    end
    settle(a, at)
    log_agent(a, reason)
  end
  return 'rested'
end

reapers.call = function(id)
  local c = call_of(id)
  if c and c.widen_at and c.widen_at <= now then
    widen(c)
    return 'widened'
  end
end

-- Too long a wait, or too many callers for those who are there: the caller is told once.
reapers.guard = function(id)
  local c = call_of(id)
  if not c or not c.guard_at or c.guard_at > now then
    return
  end
  local topic = routing.topics[c.topic]
  local why = topic.wait and now - c.since >= topic.wait and 'wait' or nil
  if not why and topic.ratio then
    local waiting = 0
    for step = 0, #topic.steps - 1 do
      waiting = waiting + redis.call('ZCOUNT', WAITING[line_of(c.topic, step)], '-inf', int(RINGING / 2))
    end
    why = waiting > topic.ratio * crew(line_of(c.topic, c.step)) and 'ratio' or nil
  end
  if why and c.state == 'waiting' then
    c.told, c.guard_at = true, nil
    schedule('guard:' .. id, nil)
    put_call(c)
    log('overflow', { 'call', id, 'topic', c.topic, 'why', why })
    announce(c, 'overflow')
    return 'overflow'
  end
  c.guard_at = next_guard()
  schedule('guard:' .. id, c.guard_at)
  put_call(c)
  return 'guarded'
end

-- Nobody has been there for a while: whoever waits is told, and nobody is put out. A caller for whom a phone still rings
-- (of somebody who was there before) is told when that comes to nothing.
reapers.empty = function(topic)
  schedule('empty:' .. topic, nil)
  local known = routing.topics[topic]
  if not known or staffed(topic) then
    return 'staffed'
  end
  local waiting = 0
  for step = 0, #known.steps - 1 do
    for _, id in ipairs(redis.call('ZRANGE', WAITING[line_of(topic, step)], 0, -1)) do
      local c = call_of(id)
      if c.state == 'waiting' then
        announce(c, 'unstaffed')
        waiting = waiting + 1
      else
        schedule('empty:' .. topic, now + routing.empty_grace_ms)
      end
    end
  end
  log('unstaffed', { 'topic', topic, 'waiting', int(waiting) })
  return 'unstaffed'
end

reapers.known = function(field)
  local raw = redis.call('HGET', KNOWN, field)
  local ref, topic = string.match(field, '^(.-)|(.*)$')
  if not raw then
    return
  end
  keep_known(ref, topic, cjson.decode(raw))
  return 'known'
end

reapers.node = function(node)
  if not is_gone(node) then
    return
  end
  local lost, others = {}, {}
  for _, id in ipairs(redis.call('HKEYS', AGENTS)) do
    local a = agent_of(id)
    if a.node ~= node then
      others[#others + 1] = a
    elseif a.present then
      a.present, a.busy = false, nil
      settle(a, now)
      log_agent(a, 'gone')
      lost[#lost + 1] = a
    end
  end
  for _, a in ipairs(lost) do
    unring(a)
  end
  for _, a in ipairs(others) do
    free_of_gone(a)
  end
end

handlers.reap = function()
  local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', int(now))
  local counts = { expired = 0, rested = 0 }
  for _, member in ipairs(due) do
    local kind, id = string.match(member, '^(%a+):(.*)$')
    local what = reapers[kind] and reapers[kind](id)
    -- What came before it in this reap may have set it anew, at a later time, which is still to come.
    local at = not what and redis.call('ZSCORE', DEADLINES, member)
    if at and tonumber(at) <= now then
      redis.call('ZREM', DEADLINES, member)
    end
    counts[what or ''] = (counts[what or ''] or 0) + 1
  end
  return function()
    local live = {}
    for _, token in ipairs(redis.call('HKEYS', OFFERS)) do
      local o = offer_of(token)
      if o and not o.accepted then
        live[#live + 1] = cjson.encode(o)
      end
    end
    local next_due = redis.call('ZRANGE', DEADLINES, 0, 0, 'WITHSCORES')[2]
    return { int(counts.expired), int(counts.rested), next_due and int(tonumber(next_due)) or '', live, int(now) }
  end
end
