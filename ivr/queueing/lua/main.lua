-- One command: check the epoch, do, dispatch, write, answer.
-- Answers: {'OK', body, offers made, offers withdrawn, news} | {'REFUSED', reason} |
-- {'STATE_LOST', epoch in force or ''} | {'LINES', line…}: come again with these keys too.

-- The routing in force, as long as its text is the same: nothing changes it, `configure` makes another.
local decoded, decoded_routing

local function run(keys, argv)
  open(keys, argv)
  if command == 'found' then
    local created = found()
    if created and args.worker then
      handlers.lease() -- or a standby, which polls, would have the node before who holds its calls
    end
    return { 'OK', { 'epoch', site_epoch, 'created', created and '1' or '0', 'now', int(now) } }
  end
  if site_epoch ~= epoch then
    return { 'STATE_LOST', site_epoch or '' }
  end

  if routing_json and routing_json ~= decoded then
    decoded, decoded_routing = routing_json, cjson.decode(routing_json)
  end
  routing = routing_json and decoded_routing or {
    topics = {}, groups = {}, ranks = {}, ring_ms = 0, grace_ms = 0, cooldown_ms = 0, wrap_ms = 0, short_pause_ms = 0,
    missed_pause_ms = 0, empty_grace_ms = 0, guard_ms = 0, boost_ms = 0, coded = false,
  }
  for topic, known in pairs(routing.topics) do
    if not WAITING[line_of(topic, #known.steps - 1)] then
      local lines = { 'LINES' }
      for name, each_known in pairs(routing.topics) do
        for step = 0, #each_known.steps - 1 do
          lines[#lines + 1] = line_of(name, step)
        end
      end
      return lines
    end
  end

  if readings[command] then
    return { 'OK', readings[command]() }
  end

  local result, detail = handlers[command]()
  follow_the_crews()
  dispatch()
  flush()
  if result == nil then
    return { 'REFUSED', detail }
  end
  local body = result
  if type(result) == 'function' then
    body = result(detail)
  elseif type(result) == 'boolean' then
    body = result and '1' or '0'
  end
  local offers_out, listed = {}, {}
  for _, token in ipairs(made) do
    listed[token] = true
    if offer_of(token) then
      offers_out[#offers_out + 1] = cjson.encode(offer_of(token))
    end
  end
  -- A join that comes twice finds the offers that the first one made.
  local own = command == 'join' and call_of(args.call)
  for part in each(own and own.ringing) do
    local token = string.match(part, '^%S+')
    if not listed[token] then
      offers_out[#offers_out + 1] = cjson.encode(offer_of(token))
    end
  end
  return { 'OK', body, offers_out, withdrawn, news }
end

redis.register_function('@{NAME}', run)
