-- The part that all scripts of the protocol `bb1` begin with: arguments, numbers and records.
--
-- KEYS   head, records, index, members
-- ARGV   1 protocol, 2 channel, 3 node, 4 instance, 5 longest open period, 6 time as the client knows it,
--        then those of the script. This layout never changes: another one has another protocol number.
--
-- All instants and durations are microseconds. The first line is no `#!lua`: Redis 6 does not know it, and
-- Redis 7 would refuse the script on a full store or on a replica, where a pull must still read.
local HEAD, RECORDS, INDEX, MEMBERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local PROTOCOL = '1'
local MAX_NUMBER = 9007199254740991
local MAX_LINE, MAX_WORD, MAX_NAME, MAX_TOKEN, MAX_LABEL = 8192, 256, 256, 64, 64
local MAX_ATTEMPT, MAX_QUORUM, MAX_PAGE = 1000, 64, 1000
local MAX_LEAD, RETENTION, NODE_TTL = 3600000000, 86400000000, 20000000
local PHASES = { v = true, c = true, o = true, h = true }
local unpack = table.unpack or unpack

-- `tostring` drops the last digits of a version.
local function text(number) return string.format('%.0f', number) end

-- Returns nil unless the field is at most 16 digits that a double represents exactly.
local function number(field)
  if not field or #field > 16 or not string.find(field, '^[0-9]+$') then return nil end
  local value = tonumber(field)
  return value <= MAX_NUMBER and value or nil
end

local function at_most(limit, field)
  local value = number(field)
  return value and value <= limit and value or nil
end

-- Returns nil unless the field can stand in a record, and does not stand for an absent one.
local function word(field, longest)
  if not field or #field < 1 or #field > longest or field == '-' or string.find(field, '[^!-~]') then return nil end
  return field
end

local function label(field) return word(field, MAX_LABEL) and not string.find(field, '[^A-Za-z0-9._:-]') end

-- Returns true if the field is an encoded name. Braces would select the hash slot of a key.
local function is_name(field)
  if not field or #field > 3 * MAX_NAME or string.find(field, '[^!-~]') or string.find(field, '[{}]') then return false end
  local plain, escapes = string.gsub(field, '%%[0-9A-F][0-9A-F]', '')
  local length = #plain + escapes
  return not string.find(plain, '%', 1, true) and length >= 1 and length <= MAX_NAME
end

-- Returns the text of an error as one printable line without the separator of answers. It begins with the code of
-- the error, in front of which Redis 6 puts the line of the script.
local function reason_of(fault)
  if type(fault) == 'table' then fault = fault.err end
  local reason = string.gsub(tostring(fault), '@user_script: ?%d+: %-?', '')
  return (string.gsub(string.sub(reason, 1, 200), '[^ -{}~]', '?'))
end

local function error_of(reply) return type(reply) == 'table' and reply.err or nil end

-- Some servers fail `TIME` in scripts, or answer zero.
local time = redis.pcall('TIME')
local now = not time.err and tonumber(time[1]) * 1000000 + tonumber(time[2]) or 0
if now == 0 then now = number(ARGV[6]) or 0 end

local function is_ahead(version) return version > math.min(now + MAX_LEAD, MAX_NUMBER) end

-- Returns the version that a text stands for, or zero if it cannot be genuine.
local function version_of(field)
  local version = number(field) or 0
  return is_ahead(version) and 0 or version
end

local NODE, INSTANCE, MAX_OPEN = ARGV[3], ARGV[4], number(ARGV[5])
if MAX_OPEN then MAX_OPEN = math.min(MAX_OPEN, RETENTION) end
local MEMBER = tostring(NODE) .. '/' .. tostring(INSTANCE)

-- Returns why the script can do nothing, or nil.
local function refusal()
  if ARGV[1] ~= PROTOCOL then return 'BB1 unknown protocol number' end
  if now == 0 then return 'BB1 neither the server nor the client knows the time' end
  if not (label(NODE) and label(INSTANCE) and MAX_OPEN) then return 'BB1 malformed arguments' end
end

-- Returns why the keys cannot be read, or nil. Reads one entry of each key, which needs no further permission.
local function fault_of_keys()
  local reads = { { 'GET', HEAD }, { 'HGET', RECORDS, '' }, { 'ZCARD', INDEX }, { 'ZCARD', MEMBERS } }
  for _, read in ipairs(reads) do
    local fault = error_of(redis.pcall(unpack(read)))
    if fault and string.find(fault, 'WRONGTYPE', 1, true) then return 'wrong type at ' .. read[2] end
    if fault then return fault end
  end
end

local function head_version() return version_of(redis.call('GET', HEAD) or '0') end

local function nodes()
  return redis.call('ZCOUNT', MEMBERS, text(math.max(now - NODE_TTL, 0)), text(math.min(now + MAX_LEAD, MAX_NUMBER)))
end

-- The expiry of all keys is one, so that none outlives another.
local function refresh_expiry()
  for _, key in ipairs({ HEAD, RECORDS, INDEX, MEMBERS }) do
    redis.pcall('PEXPIRE', key, text(RETENTION / 1000))
  end
end

local function absent()
  return { version = 0, phase = '-', ends = 0, duration = 0, attempt = 0, by = '-', why = '-', token = '-', lease_ends = 0,
    lease_duration = 0, closed_at = 0, wanted = false, votes = {}, rest = '' }
end

local function cut(record)
  record.duration = math.min(record.duration, MAX_OPEN)
  record.lease_duration = math.min(record.lease_duration, MAX_OPEN)
  record.ends = math.min(record.ends, math.min(now, record.version) + record.duration)
  record.lease_ends = math.min(record.lease_ends, now + record.lease_duration)
end

local function parse_votes(field)
  local votes = {}
  if field == '-' then return votes end
  for vote in string.gmatch(field .. ',', '([^,]*),') do
    local node, cast, ends = string.match(vote, '^([^/]+)/([^/]*)/(.*)$')
    cast, ends = number(cast), number(ends)
    if not (node and #node <= MAX_WORD and cast and ends) then return nil end
    votes[#votes + 1] = { node = node, cast = cast, ends = ends }
  end
  return votes
end

-- Returns nil unless the text is a record.
local function parse(line)
  if not line or #line > MAX_LINE or string.find(line, '[^ -~]') then return nil end
  local fields = {}
  for field in string.gmatch(line, '[^ ]+') do fields[#fields + 1] = field end
  if #fields < 13 or not PHASES[fields[2]] then return nil end
  if #fields[6] > MAX_WORD or #fields[7] > MAX_WORD or #fields[8] > MAX_WORD then return nil end
  local record = { version = number(fields[1]), phase = fields[2], ends = number(fields[3]), duration = number(fields[4]),
    attempt = number(fields[5]), by = fields[6], why = fields[7], token = fields[8], lease_ends = number(fields[9]),
    lease_duration = number(fields[10]), closed_at = number(fields[11]), wanted = fields[12] == '1',
    votes = parse_votes(fields[13]), rest = table.concat(fields, ' ', 14) }
  local is_complete = record.version and record.ends and record.duration and record.attempt and record.lease_ends
    and record.lease_duration and record.closed_at and record.votes
  return is_complete and record or nil
end

-- Returns the record that a text stands for. Whatever cannot be genuine is absent.
local function read(line)
  local record = parse(line)
  if not record or is_ahead(record.version) then return absent() end
  record.attempt = math.min(record.attempt, MAX_ATTEMPT)
  -- A close in the future would reject every trip.
  if record.closed_at > now then record.closed_at = 0 end
  cut(record)
  return record
end

local function holds(record)
  return (record.phase == 'o' and now < record.ends) or (record.phase == 'h' and now < record.lease_ends)
end

local function is_unknown(record) return record.phase == '-' or record.phase == 'v' end

-- A vote that lives longer than the retention cannot be genuine, and would count forever.
local function is_live(vote) return now < vote.ends and vote.ends <= math.min(now + RETENTION, MAX_NUMBER) end

-- Returns the public part of a record, with what is left in milliseconds, rounded up.
local function view(name, record)
  local left = 0
  if record.phase == 'o' then left = math.max(record.ends - now, 0) end
  if record.phase == 'h' then left = math.max(record.lease_ends - now, 0) end
  local part = math.fmod(left, 1000)
  left = (left - part) / 1000 + (part > 0 and 1 or 0)
  return table.concat({ name, text(record.version), record.phase, text(left), text(record.attempt), record.by, record.why,
    record.wanted and '1' or '0' }, ' ')
end
