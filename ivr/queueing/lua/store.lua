-- The site's state, read when needed, changed in memory, written once by `flush`.
-- Nothing here reads a clock: `now` is the caller's, never before the site's own.
-- KEYS: site, calls, agents, offers, deadlines, events, idle, known, then one set per line. A line
-- holds the callers of a topic who have come to the same step of its widening.
-- ARGV: command, epoch, now (ms), arguments (JSON object without nulls), snapshot (optional, opaque).
local EVENTS_KEPT = '100000'
local REMEMBERED = 256
local EXTENSIONS = 2
local NONCES = 1152

-- One command's own: set anew by `open`, so that nothing of the one before is left, whatever its end.
local SITE, CALLS, AGENTS, OFFERS, DEADLINES, EVENTS, IDLE, KNOWN, WAITING, PREFIX
local command, epoch, args, snapshot, site_epoch, routing_json, clock, seq, last_seq, now, routing
local calls, agents, offers, snapshots, changed_calls, changed_agents, changed_offers
local made, withdrawn, news, messages, freed, returned, turned, prefer

local function open(keys, argv)
  SITE, CALLS, AGENTS, OFFERS = keys[1], keys[2], keys[3], keys[4]
  DEADLINES, EVENTS, IDLE, KNOWN = keys[5], keys[6], keys[7], keys[8]
  WAITING = {}
  PREFIX = string.sub(SITE, 1, -5)
  for i = 9, #keys do
    WAITING[string.sub(keys[i], #PREFIX + 3)] = keys[i]
  end
  command, epoch = argv[1], argv[2]
  args = cjson.decode(argv[4])
  snapshot = argv[5]
  local head = redis.call('HMGET', SITE, 'epoch', 'clock', 'seq', 'routing')
  site_epoch, routing_json = head[1], head[4]
  clock, seq = tonumber(head[2] or '0'), tonumber(head[3] or '0')
  last_seq, now, routing = seq, math.max(tonumber(argv[3]), clock), nil
  calls, agents, offers, snapshots = {}, {}, {}, {}
  changed_calls, changed_agents, changed_offers = {}, {}, {}
  made, withdrawn, news, messages = {}, {}, {}, {}
  freed, returned, turned, prefer = {}, {}, {}, {}
end

-- Exact decimal text of a whole number: Lua's own conversion keeps only 14 digits.
local function int(n)
  return string.format('%.0f', n)
end

-- The parts of "a|b|c"; lists are stored as text, since an empty Lua table has no JSON type.
local function each(list)
  return string.gmatch(list or '', '[^|]+')
end

local function call_of(id)
  if calls[id] == nil then
    local raw = redis.call('HGET', CALLS, id)
    if raw then
      local cut = string.find(raw, '\n', 1, true)
      calls[id] = cjson.decode(string.sub(raw, 1, cut - 1))
      snapshots[id] = string.sub(raw, cut + 1)
    else
      calls[id] = false
    end
  end
  return calls[id]
end

local function agent_of(id)
  if agents[id] == nil then
    local raw = redis.call('HGET', AGENTS, id)
    agents[id] = raw and cjson.decode(raw) or false
  end
  return agents[id]
end

local function offer_of(token)
  if offers[token] == nil then
    local raw = redis.call('HGET', OFFERS, token)
    offers[token] = raw and cjson.decode(raw) or false
  end
  return offers[token]
end

local function put_call(c)
  calls[c.call] = c
  changed_calls[c.call] = true
end

local function put_agent(a)
  agents[a.id] = a
  changed_agents[a.id] = true
end

local function put_offer(o)
  offers[o.token] = o
  changed_offers[o.token] = true
end

local function drop_call(c)
  calls[c.call] = false
  changed_calls[c.call] = true
end

local function drop_offer(o)
  offers[o.token] = false
  changed_offers[o.token] = true
end

-- One line of the event stream and one count, in the same step as the change that it tells.
-- `fields` is a flat list; the line's id is the site's own time.
local function log(kind, fields)
  if now > clock then
    redis.call('HSET', SITE, 'clock', int(now))
    clock = now
  end
  local line = {
    'XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, int(now) .. '-*',
    'type', kind, 'at', int(now), 'epoch', epoch,
  }
  for i = 1, #fields, 2 do
    if fields[i + 1] ~= nil and fields[i + 1] ~= '' then
      line[#line + 1] = fields[i]
      line[#line + 1] = fields[i + 1]
    end
  end
  redis.call(unpack(line))
  redis.call('HINCRBY', SITE, 'count:' .. kind, 1)
end

local function write(key, changed, records, encode)
  for id in pairs(changed) do
    if records[id] then
      redis.call('HSET', key, id, encode(records[id]))
    else
      redis.call('HDEL', key, id)
    end
  end
end

local function flush()
  write(CALLS, changed_calls, calls, function(c)
    return cjson.encode(c) .. '\n' .. (snapshots[c.call] or '')
  end)
  write(AGENTS, changed_agents, agents, cjson.encode)
  write(OFFERS, changed_offers, offers, cjson.encode)
  if now > clock then
    redis.call('HSET', SITE, 'clock', int(now))
  end
  if seq > last_seq then
    redis.call('HSET', SITE, 'seq', int(seq))
  end
  for _, message in ipairs(messages) do
    redis.call('PUBLISH', PREFIX .. 'offers:' .. message[1], message[2])
  end
end

-- Tell the worker of another node what concerns a call of its own.
local function tell(node, kind, json)
  if node ~= args.me then
    messages[#messages + 1] = { node, kind .. '\n' .. json }
  end
end
