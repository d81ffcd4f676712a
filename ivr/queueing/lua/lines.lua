-- Who may answer whom: the routing in force, and how many are there for each line.

local function line_of(topic, step)
  return topic .. '~' .. int(step)
end

-- On leave, whatever their phone says: they get no offers and count for nobody.
local function on_leave(a)
  return routing.leave ~= nil and routing.leave[a.id] == true
end

-- The groups that an agent answers in: their own, and those of whom they stand in for.
local function groups_of(a)
  local more = routing.stands_in and routing.stands_in[a.id]
  return more and a.groups .. '|' .. more or a.groups
end

-- Calls `act` once for every line that the agent's groups serve.
local function each_line(groups, act)
  local seen = {}
  for group in each(groups .. '|*') do
    for _, line in ipairs(routing.groups[group] or {}) do
      if not seen[line] then
        seen[line] = true
        act(line)
      end
    end
  end
end

local function crew(line)
  return tonumber(redis.call('HGET', SITE, 'crew:' .. line) or '0')
end

local function count_crew(groups, by)
  each_line(groups, function(line)
    local count = redis.call('HINCRBY', SITE, 'crew:' .. line, by)
    if count == 0 or count == by then
      turned[line] = true
    end
  end)
end

-- Somebody who may answer a topic, now or after its widening, is there. A step without anybody is
-- skipped, so the last one tells.
local function staffed(topic)
  local known = routing.topics[topic]
  return known ~= nil and crew(line_of(topic, #known.steps - 1)) > 0
end

local function schedule(member, at)
  if at then
    redis.call('ZADD', DEADLINES, int(at), member)
  else
    redis.call('ZREM', DEADLINES, member)
  end
end
