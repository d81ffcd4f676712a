-- What is known of agents from outside: their phone, their pauses, their other calls, and what
-- they say of their last call.

local function unring(a)
  if a.token and not a.answered then
    local c = withdraw(offer_of(a.token), 'gone')
    settle(a, now)
    enter_line(c, c.step)
  end
end

-- What a node's worker said of the agent's other calls ends with the phone's place there.
handlers.presence = function()
  local a = agent_of(args.agent) or newcomer(args.agent)
  if args.present then
    local busy = a.busy
    if args.busy ~= nil then
      busy = args.busy or nil
    elseif a.node ~= args.node then
      busy = nil
    end
    if a.present and a.groups == args.groups and a.node == args.node and a.busy == busy then
      return false
    end
    if not a.present then
      a.misses = 0
      if a.hold == 'cooldown' then
        a.hold, a.free_at = nil, nil
      end
      if a.pause == 'missed' then
        a.pause, a.back = nil, nil
      end
    end
    a.present, a.groups, a.node, a.busy = true, args.groups, args.node, busy
    free_of_gone(a)
  else
    -- A phone lost by a node that it has already left is no news.
    if not a.present or a.node ~= args.node then
      return false
    end
    a.present = false
    unring(a)
  end
  settle(a, now)
  log_agent(a, args.present and 'present' or 'gone')
  return true
end

-- `create`: an agent whose phone has not been seen yet may be paused too.
handlers.pause = function()
  local a = agent_of(args.agent) or args.create and newcomer(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif a.pause == args.reason and a.back == args.back then
    return false
  end
  a.pause, a.back, a.misses = args.reason, args.back, 0
  a.short = args.back ~= nil and args.back > now and args.back - now <= routing.short_pause_ms
  if a.token and not a.answered then
    local c = withdraw(offer_of(a.token), 'paused')
    settle(a, now)
    enter_line(c, c.step)
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
  if a.hold == 'wrap' then
    conclude(a)
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
  free_of_gone(a)
  settle(a, now)
  log_agent(a, args.busy and 'busy' or 'free')
  return true
end

-- How the agent's last talk went: the wrap is over. One that owes something more keeps its caller.
-- `to`: the topic that the caller should have had.
handlers.outcome = function()
  local a = agent_of(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif not a.done_call then
    return nil, 'no call'
  elseif a.code == args.code and (not args.to or a.to == args.to) then
    return false
  end
  a.code, a.to, a.uncoded = args.code, args.to, nil
  remember_owner(a, args.follow_up)
  log('outcome', {
    'call', a.done_call, 'agent', a.id, 'topic', a.done_topic, 'code', a.code, 'caller', a.done_caller,
    'to', a.to, 'follow_up', args.follow_up and '1' or '0',
  })
  if a.hold == 'wrap' then
    a.hold, a.free_at = nil, nil
  end
  if a.pause == 'missed' then
    a.pause, a.back = nil, nil
  end
  settle(a, now)
  return true
end

-- A wrap lasts longer, twice at most. `nonce` tells a command that comes twice from a second one.
handlers.extend = function()
  local a = agent_of(args.agent)
  if not a then
    return nil, 'unknown agent'
  elseif a.nonce == args.nonce then
    return false
  elseif a.hold ~= 'wrap' then
    return nil, 'no wrap'
  elseif (a.extended or 0) >= EXTENSIONS then
    return nil, 'extended already'
  end
  a.nonce, a.extended, a.free_at = args.nonce, (a.extended or 0) + 1, a.free_at + routing.wrap_ms
  settle(a, now)
  log_agent(a, 'extended')
  return true
end

-- The caller has had the answer that the agent owed: they come to anybody again.
handlers.disown = function()
  local k = known_of(args.caller, args.topic)
  if not k.owner or k.owner ~= args.agent then
    return false
  end
  k.owner, k.owned = nil, nil
  keep_known(args.caller, args.topic, k)
  return true
end

-- Nothing is remembered of a caller any more.
handlers.forget = function()
  local some = false
  for _, field in ipairs(redis.call('HKEYS', KNOWN)) do
    if string.sub(field, 1, #args.caller + 1) == args.caller .. '|' then
      redis.call('HDEL', KNOWN, field)
      schedule('known:' .. field, nil)
      some = true
    end
  end
  return some
end
