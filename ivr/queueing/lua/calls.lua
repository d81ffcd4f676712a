-- What happens to callers. A call's commands may carry `rev`, which grows with each: one that
-- comes late or twice changes nothing and is answered from the state as it is.

local handlers = {}

-- Ended calls are remembered for a while, so that a late command cannot bring one back.
local function ended(id)
  return redis.call('HEXISTS', SITE, 'ended:' .. id) == 1
end

local function remember_end(id)
  local slot = 'slot:' .. (redis.call('HINCRBY', SITE, 'ends', 1) % REMEMBERED)
  local old = redis.call('HGET', SITE, slot)
  if old then
    redis.call('HDEL', SITE, 'ended:' .. old)
  end
  redis.call('HSET', SITE, slot, id, 'ended:' .. id, int(now))
end

-- The call that a command is about, and whether the command is news. Creates only on `arrival`.
local function subject(creates)
  local c = call_of(args.call)
  if not c then
    if not creates or ended(args.call) then
      return nil, false
    end
    c = { call = args.call, node = args.node, arrival = args.arrival, state = 'held', rev = 0 }
    put_call(c)
    log('arrived', { 'call', c.call, 'node', c.node, 'arrival', int(c.arrival) })
  end
  if args.rev then
    if args.rev <= c.rev then
      return c, false
    end
    c.rev = args.rev
    put_call(c)
  end
  return c, true
end

-- Whether a numbered command comes after a later one of its call, or after the call's end.
local function late()
  local c = call_of(args.call)
  if c then
    return args.rev and args.rev <= c.rev
  end
  return ended(args.call)
end

local function keep_snapshot(c)
  if snapshot then
    snapshots[c.call] = snapshot
    put_call(c)
  end
  if args.trail then
    log('trail', { 'call', c.call, 'trail', args.trail })
  end
end

local function place(c)
  if not c then
    return { 'status', 'ended' }
  end
  local reply = { 'status', c.state }
  if c.topic then
    reply[3], reply[4] = 'staffed', staffed(c.topic) and '1' or '0'
  end
  if c.state == 'waiting' then
    -- Everybody of the topic who comes sooner, at whatever step.
    local before, order = 0, int(score(c))
    for step = 0, #routing.topics[c.topic].steps - 1 do
      local line = WAITING[line_of(c.topic, step)]
      if step == c.step then
        before = before + redis.call('ZRANK', line, c.call)
      else
        before = before + redis.call('ZCOUNT', line, '-inf', '(' .. order)
      end
    end
    reply[5], reply[6] = 'position', int(before + 1)
  end
  return reply
end

handlers.save = function()
  if args.again then
    redis.call('HDEL', SITE, 'ended:' .. args.call)
  end
  local c, is_news = subject(true)
  if is_news then
    c.node = args.node
    keep_snapshot(c)
    put_call(c)
  end
  return is_news
end

handlers.join = function()
  if not routing.topics[args.topic] and not late() then
    return nil, 'unknown topic'
  end
  local c, is_news = subject(true)
  if not is_news then
    return place, c
  end
  c.node = args.node
  c.caller = args.caller or c.caller
  keep_snapshot(c)
  put_call(c)
  if c.state == 'talking' or (c.state ~= 'held' and c.topic == args.topic and c.asked_reason == args.reason) then
    return place, c
  end
  silence(c, 'moved')
  leave_line(c, 'held')
  c.topic, c.asked_reason, c.reason = args.topic, args.reason, args.reason
  c.since = args.since or c.since or now
  if c.caller then
    if not c.reason and tries_in_vain(c.caller, c.topic) >= FAILURES then
      c.reason = 'repeat'
    end
    prefer[c.call] = owner_of(c.caller, c.topic)
    if prefer[c.call] and not agent_of(prefer[c.call]) then
      prefer[c.call] = nil
    end
  end
  log('joined', {
    'call', c.call, 'topic', c.topic, 'since', int(c.since), 'reason', c.reason, 'caller', c.caller, 'node', c.node,
  })
  enter_line(c, 0)
  return place, c
end

-- The caller is in no line any more and rings nowhere; a talk goes on.
local function step_out(c, reason)
  if c.state ~= 'waiting' and c.state ~= 'offered' then
    return false
  end
  silence(c, reason)
  leave_line(c, 'held')
  log('left', { 'call', c.call, 'topic', c.topic, 'reason', reason })
  return true
end

-- The talk is over: the agent finishes in wrap-up time.
local function hang_up(c, void)
  if c.state ~= 'talking' then
    return false
  end
  local o = offer_of(c.token)
  local _, a = close(o)
  begin_wrap(a, c, void)
  if not a.hold then
    conclude(a)
  end
  settle(a, now)
  c.state = 'held'
  log('released', {
    'call', c.call, 'agent', a.id, 'topic', c.topic, 'token', o.token, 'talk', int(now - o.accepted),
  })
  return true
end

handlers.leave = function()
  local c, is_news = subject(false)
  if not is_news then
    return false
  end
  keep_snapshot(c)
  return step_out(c, args.reason)
end

handlers.release = function()
  local c, is_news = subject(false)
  if not is_news then
    return false
  end
  keep_snapshot(c)
  return hang_up(c, args.void)
end

handlers['end'] = function()
  local c = call_of(args.call)
  if not c then
    if not ended(args.call) then
      remember_end(args.call)
    end
    return false
  end
  keep_snapshot(c)
  local _ = step_out(c, args.outcome) or hang_up(c)
  remember_try(c, args.outcome)
  drop_call(c)
  remember_end(c.call)
  log('ended', {
    'call', c.call, 'topic', c.topic, 'outcome', args.outcome, 'node', c.node,
    'arrival', int(c.arrival), 'facts', args.facts,
  })
  return true
end

-- The first who answers has the call: no other phone rings for it, and its agent is free again.
handlers.accept = function()
  local o = offer_of(args.token)
  if not o then
    return nil, 'stale'
  end
  local c = call_of(o.call)
  local is_news = not args.rev or args.rev > c.rev
  if is_news then
    c.rev = args.rev or c.rev
    keep_snapshot(c)
    put_call(c)
  end
  if not o.accepted then
    local _, a = close(o)
    o.accepted = now
    put_offer(o)
    a.token, a.call, a.answered, a.misses, a.hold, a.free_at = o.token, c.call, true, 0, nil, nil
    settle(a, now)
    silence(c, 'taken')
    c.token, c.agent = o.token, a.id
    leave_line(c, 'talking')
    log('accepted', {
      'call', c.call, 'agent', a.id, 'topic', c.topic, 'token', o.token, 'wait', int(now - c.arrival),
    })
  end
  return cjson.encode(o)
end

-- Twice in a row nobody was at the phone: no calls for a while, and somebody is told.
local function missed(a)
  a.misses = a.misses + 1
  if a.misses < 2 or a.pause then
    return hold_back(a, 'cooldown', routing.cooldown_ms)
  end
  a.misses, a.hold, a.free_at = 0, nil, nil
  a.pause, a.back, a.short = 'missed', now + routing.missed_pause_ms, nil
  log('notice', { 'agent', a.id, 'reason', 'missed' })
end

-- An offer that nobody answered: the caller is next again at once, the agent rests.
local function lose(o, reason, quiet)
  local c, a = withdraw(o, reason, quiet)
  if reason == 'gone' then
    a.present = false
  elseif reason == 'miss' or reason == 'expired' then
    missed(a)
  else
    hold_back(a, 'cooldown', routing.cooldown_ms)
  end
  a.idle = nil
  settle(a, now)
  log_agent(a, reason)
  enter_line(c, c.step)
  return c
end

handlers.decline = function()
  local o = offer_of(args.token)
  if not o then
    return nil, 'stale'
  elseif o.accepted then
    return nil, 'answered'
  end
  local c = lose(o, args.reason, true)
  if not args.rev or args.rev > c.rev then
    c.rev = args.rev or c.rev
    keep_snapshot(c)
  end
  return true
end

-- A talk that outlived the site's state: known again, on its worker's word.
handlers.restore = function()
  local c, is_news = subject(true)
  if not is_news or c.state == 'talking' then
    return false
  end
  local a = agent_of(args.agent) or newcomer(args.agent)
  if a.token then
    local o = offer_of(a.token)
    if o.accepted then
      return nil, 'agent engaged'
    end
    local other = withdraw(o, 'restored')
    enter_line(other, other.step)
  end
  if c.state ~= 'held' then
    step_out(c, 'restored')
  end
  if a.node == '' then
    a.node = args.agent_node
  end
  c.node, c.topic, c.reason, c.asked_reason = args.node, args.topic, args.reason, args.reason
  c.state, c.token, c.agent = 'talking', args.token, a.id
  put_call(c)
  keep_snapshot(c)
  a.token, a.call, a.answered, a.hold, a.free_at = args.token, c.call, true, nil, nil
  settle(a, now)
  put_offer({
    token = args.token, call = c.call, node = c.node, agent = a.id, agent_node = a.node,
    topic = c.topic, made = now, ring_until = now, deadline = now, accepted = now,
  })
  log('restored', { 'call', c.call, 'agent', a.id, 'topic', c.topic, 'token', args.token })
  return true
end

-- A call was not as Asterisk shows it, and is again: a line of its history. `nonce` tells a command that comes
-- twice from a second one; the last ones are remembered.
handlers.repair = function()
  local last = redis.call('HGET', SITE, 'repairs') or ''
  local mark = args.nonce .. ' '
  if string.find(last, mark, 1, true) then
    return false
  end
  redis.call('HSET', SITE, 'repairs', string.sub(last .. mark, -NONCES))
  log('repair', { 'call', args.call, 'kind', args.kind, 'node', args.node })
  return true
end

handlers.status = function()
  return place, call_of(args.call)
end
