-- Returns the records that changed after a version, oldest first. A translation of `Table::pull`.
--
-- All writes go through `redis.pcall`: a full store or a replica still answers, and says why it cannot write.
--
-- ARGV   7 version, 8 the most records of the answer
-- Reply  head, version for the next pull, 1 if more follow, time, number of instances, why the store cannot write
--        (or an empty text), number of members, the members, then one line per record

local refused = refusal()
if refused then return { err = refused } end
local since, limit = version_of(ARGV[7]), number(ARGV[8])
if not limit then return { err = 'BB1 malformed arguments' } end
limit = math.min(math.max(limit, 1), MAX_PAGE)
local fault = fault_of_keys()
if fault then return { err = 'BB1 ' .. reason_of(fault) } end

local TRIM = 100

-- Records that stay must keep no pull from reaching those behind them, so the time selects where to look.
local function candidates(from, to)
  local surplus = math.max(redis.call('ZCOUNT', INDEX, from, to) - TRIM, 0)
  local skipped = math.fmod(now, surplus + 1)
  return redis.call('ZRANGEBYSCORE', INDEX, from, to, 'LIMIT', text(skipped), text(TRIM))
end

local function may_be_forgotten(record, oldest)
  if record.phase == 'v' then
    for _, vote in ipairs(record.votes) do
      if is_live(vote) then return false end
    end
    return true
  end
  if record.phase == 'c' then return record.version < oldest end
  if record.phase == 'o' then return record.ends < oldest end
  if record.phase == 'h' then return record.lease_ends < oldest end
  return true
end

local function forget(names)
  if #names == 0 then return end
  redis.pcall('ZREM', INDEX, unpack(names))
  redis.pcall('HDEL', RECORDS, unpack(names))
end

local function trim(from, to, oldest)
  local names = candidates(from, to)
  if #names == 0 then return end
  local old = {}
  for i, line in ipairs(redis.call('HMGET', RECORDS, unpack(names))) do
    if may_be_forgotten(read(line), oldest) then old[#old + 1] = names[i] end
  end
  forget(old)
end

local read_only = error_of(redis.pcall('ZADD', MEMBERS, text(now), MEMBER))
if not read_only then
  redis.pcall('ZREMRANGEBYSCORE', MEMBERS, '-inf', '(' .. text(math.max(now - NODE_TTL, 0)))
  redis.pcall('ZREMRANGEBYSCORE', MEMBERS, '(' .. text(math.min(now + MAX_LEAD, MAX_NUMBER)), '+inf')
  local oldest = math.max(now - RETENTION, 0)
  -- Records that have only votes are listed under zero.
  trim('-inf', '(1', oldest)
  trim('1', '(' .. text(math.max(oldest, 1)), oldest)
  refresh_expiry()
end

local head = head_version()
local to = text(math.min(now + MAX_LEAD, MAX_NUMBER))
local names = redis.call('ZRANGEBYSCORE', INDEX, '(' .. text(since), to, 'LIMIT', '0', text(limit))
local more = #names == limit
local following = math.max(head, since)
if more then
  -- Rounded up, so that a foreign score cannot hold the cursor.
  following = math.ceil(tonumber(redis.call('ZSCORE', INDEX, names[#names])))
end
local lines, dangling = {}, {}
if #names > 0 then
  for i, line in ipairs(redis.call('HMGET', RECORDS, unpack(names))) do
    if not line then
      dangling[#dangling + 1] = names[i]
    else
      local record = read(line)
      if not is_unknown(record) and is_name(names[i]) then lines[#lines + 1] = view(names[i], record) end
    end
  end
end
forget(dangling)

local members = {}
if since == 0 then
  local listed = redis.call('ZREVRANGEBYSCORE', MEMBERS, to, text(math.max(now - NODE_TTL, 0)), 'LIMIT', '0', text(MAX_PAGE))
  for _, member in ipairs(listed) do
    local node, instance = string.match(member, '^([^/]+)/([^/]+)$')
    if label(node) and label(instance) then members[#members + 1] = member end
  end
end

local reply = { text(head), text(following), more and '1' or '0', text(now), text(nodes()),
  read_only and reason_of(read_only) or '', text(#members) }
for _, member in ipairs(members) do reply[#reply + 1] = member end
for _, line in ipairs(lines) do reply[#reply + 1] = line end
return reply
