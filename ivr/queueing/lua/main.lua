-- One command: check the epoch, do, dispatch, write, answer.
-- Answers: {'OK', body, offers made, offers withdrawn} | {'REFUSED', reason} |
-- {'STATE_LOST', epoch in force or ''} | {'TOPICS', topic…}: come again with these keys too.

if command == 'found' then
  local created = found()
  return { 'OK', { 'epoch', site_epoch, 'created', created and '1' or '0' } }
end
if site_epoch ~= epoch then
  return { 'STATE_LOST', site_epoch or '' }
end

routing = routing_json and cjson.decode(routing_json) or { topics = {}, groups = {} }
for topic in pairs(routing.topics) do
  if not WAITING[topic] then
    local topics = { 'TOPICS' }
    for name in pairs(routing.topics) do
      topics[#topics + 1] = name
    end
    return topics
  end
end
if not routing_json then
  routing.ring_ms, routing.grace_ms, routing.cooldown_ms, routing.wrap_ms = 0, 0, 0, 0
  routing.short_pause_ms = 0
end

if readings[command] then
  return { 'OK', readings[command]() }
end

local result, detail = handlers[command]()
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
  offers_out[#offers_out + 1] = cjson.encode(offer_of(token))
end
-- A join that comes twice finds the offer that the first one made.
local own = command == 'join' and call_of(args.call)
if own and own.state == 'offered' and not listed[own.token] then
  offers_out[#offers_out + 1] = cjson.encode(offer_of(own.token))
end
return { 'OK', body, offers_out, withdrawn }
