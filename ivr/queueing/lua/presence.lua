-- What is known of agents from outside: their phone, their pauses, their other calls.

handlers.presence = function()
  local a = agent_of(args.agent) or newcomer(args.agent)
  if args.present then
    if a.present and a.groups == args.groups and a.node == args.node then
      return false
    end
    if not a.present then
      a.misses = 0
      if a.hold == 'cooldown' then
        a.hold, a.free_at = nil, nil
      end
    end
    a.present, a.groups, a.node = true, args.groups, args.node
  else
    -- A phone lost by a node that it has already left is no news.
    if not a.present or a.node ~= args.node then
      return false
    end
    a.present = false
    if a.token and not a.answered then
      put_back((withdraw(offer_of(a.token), 'gone')))
    end
  end
  settle(a, now)
  log_agent(a, args.present and 'present' or 'gone')
  return true
end

handlers.pause = function()
  local a = agent_of(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif a.pause == args.reason and a.back == args.back then
    return false
  end
  a.pause, a.back = args.reason, args.back
  a.short = args.back ~= nil and args.back > now and args.back - now <= routing.short_pause_ms
  if a.token and not a.answered then
    put_back((withdraw(offer_of(a.token), 'paused')))
  end
  settle(a, now)
  log_agent(a, args.reason)
  return true
end

-- The agent says: ready. Ends a pause, a cool-down and a wrap.
handlers.resume = function()
  local a = agent_of(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif not a.pause and not a.hold then
    return false
  end
  a.pause, a.back, a.short, a.hold, a.free_at, a.misses = nil, nil, nil, nil, nil, 0
  settle(a, now)
  log_agent(a, 'resumed')
  return true
end

handlers.busy = function()
  local a = agent_of(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif (a.busy or false) == args.busy then
    return false
  end
  a.busy = args.busy or nil
  settle(a, now)
  log_agent(a, args.busy and 'busy' or 'free')
  return true
end

-- Everything whose time has come, in the order of its time. Dispatch comes after all of it.
handlers.reap = function()
  local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', int(now))
  local expired, rested = 0, 0
  for _, member in ipairs(due) do
    local kind, id = string.match(member, '^(%a+):(.*)$')
    if kind == 'offer' and offer_of(id) then
      lose(offer_of(id), 'expired')
      expired = expired + 1
    elseif kind == 'agent' and agent_of(id) and agent_of(id).deadline and agent_of(id).deadline <= now then
      local a = agent_of(id)
      local at, reason = a.deadline, 'overdue'
      if a.pause then
        a.short = nil
      else
        reason = 'rested'
        a.hold, a.free_at = nil, nil
      end
      settle(a, at)
      log_agent(a, reason)
      rested = rested + 1
    else
      redis.call('ZREM', DEADLINES, member)
    end
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
    return { int(expired), int(rested), next_due and int(tonumber(next_due)) or '', live }
  end
end
