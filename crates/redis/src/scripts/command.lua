-- Applies one command of an operator. A translation of `CommandTable::say`, which says why.
--
-- KEYS   5 commands
-- ARGV   7 latest version that the sender knows, 8 pattern, 9 verb, 10 time left, 11 instance that gave the command,
--        12 actor or `-`, 13 reason or `-`, 14 version, or 0 for a new command
-- Reply  head, time, word, 1 if the command could not be published, the text of all commands

local refused = refusal()
if refused then return { err = refused } end
local fault = fault_of_keys()
if fault then return { err = 'BB1 ' .. reason_of(fault) } end
local COMMANDS = KEYS[5]
local MAX_COMMANDS = 256
local LONGEST = { f = 43200000000, d = 43200000000, c = 43200000000, r = RETENTION }
local stored = redis.pcall('GET', COMMANDS)
if error_of(stored) then return { err = 'BB1 ' .. reason_of(stored) } end

local function is_pattern(field)
  local star = is_name(field) and string.find(field, '*', 1, true)
  return is_name(field) and (not star or star == #field)
end

local function is_text(field) return field == '-' or is_name(field) end

-- A close ends no command that lasts, so it has a place of its own. No pattern has a space.
local function place_of(command) return command.verb == 'c' and command.pattern .. ' c' or command.pattern end

-- An end in the far future would move along with the time.
local function cut(command)
  local latest = math.min(math.min(now, command.version) + LONGEST[command.verb], MAX_NUMBER)
  command.ends = math.min(command.ends, latest)
end

-- Returns nil unless the text is a command that lasts.
local function parse_command(line)
  if #line > MAX_LINE or string.find(line, '[^ -~]') then return nil end
  local fields = {}
  for field in string.gmatch(line, '[^ ]+') do fields[#fields + 1] = field end
  local command = { pattern = fields[1], version = number(fields[2]), verb = fields[3], ends = number(fields[4]),
    by = fields[5], actor = fields[6], reason = fields[7], rest = table.concat(fields, ' ', math.min(8, #fields + 1)) }
  if not (is_pattern(command.pattern) and command.version and LONGEST[command.verb or ''] and command.ends) then return nil end
  if not (word(command.by, MAX_WORD) and is_text(command.actor) and is_text(command.reason)) then return nil end
  if command.version == 0 or is_ahead(command.version) then return nil end
  cut(command)
  return command.ends > now and command or nil
end

local commands, places = {}, {}
for line in string.gmatch((stored or '') .. '\n', '([^\n]*)\n') do
  local command = parse_command(line)
  local place = command and places[place_of(command)]
  if place then
    if commands[place].version < command.version then commands[place] = command end
  elseif command and #commands < MAX_COMMANDS then
    commands[#commands + 1] = command
    places[place_of(command)] = #commands
  end
end

local function written()
  local lines = {}
  for i, command in ipairs(commands) do
    local line = { command.pattern, text(command.version), command.verb, text(command.ends), command.by, command.actor,
      command.reason }
    if command.rest ~= '' then line[#line + 1] = command.rest end
    lines[i] = table.concat(line, ' ')
  end
  return table.concat(lines, '\n')
end

local previous, seen = head_version(), version_of(ARGV[7])
local head = previous

local function say()
  local version, left = number(ARGV[14]), number(ARGV[10])
  local command = { pattern = ARGV[8], version = version, verb = ARGV[9], by = ARGV[11], actor = ARGV[12], reason = ARGV[13],
    rest = '' }
  local longest = LONGEST[command.verb or '']
  if not (is_pattern(command.pattern) and longest and left and left >= 1 and left <= longest) then return 'bad' end
  if not (word(command.by, MAX_WORD) and is_text(command.actor) and is_text(command.reason)) then return 'bad' end
  if not version or is_ahead(version) then return 'bad' end
  local place = places[place_of(command)]
  if version > 0 and place and commands[place].version >= version then return 'known' end
  if not place and #commands >= MAX_COMMANDS then return 'full' end
  local latest = math.max(head, version)
  for _, known in ipairs(commands) do latest = math.max(latest, known.version) end
  if is_ahead(latest) then latest = 0 end
  local next_head = math.max(latest + 1, seen + 1, now)
  if version == 0 then command.version = next_head end
  command.ends = math.min(now + left, MAX_NUMBER)
  cut(command)
  if command.ends <= now then return 'known' end
  head = next_head
  commands[place or #commands + 1] = command
  return 'accepted'
end

local answer, unpublished = say(), '0'
if answer == 'accepted' then
  -- First, so that a failure below leaves a gap in the chain of messages, after which subscribers pull.
  redis.call('SET', HEAD, text(head))
  -- No command lasts longer than the retention, counted from its latest write.
  redis.call('SET', COMMANDS, written(), 'PX', text(RETENTION / 1000))
  refresh_expiry()
  local line = 'bb1 ' .. text(previous) .. ' ' .. text(head) .. ' ' .. INSTANCE
  if error_of(redis.pcall('PUBLISH', ARGV[2], line .. '\n{commands}')) then unpublished = '1' end
end
return { text(head), text(now), answer, unpublished, written() }
