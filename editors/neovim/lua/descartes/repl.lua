--- REPLs: buffers in which one types to the image, in the whole of it or in a stopped frame. What an evaluation
--- prints stands in the REPL that asked for it, whenever it is printed.
local M = {}

local call = require('descartes.call')
local text = require('descartes.repl_text')

local KNOWN_AFTER_MS = 200 -- an evaluation that takes longer is known by its id, and its output shown as it comes
local LONG_MS = 3600000
local EARLY = 20
local HELP = '; <CR> evaluate  <Tab> complete  <C-p> <C-n> earlier  <C-c> stop'

local repls = {} ---@type table<string, descartes.Repl> by name
local early = {} ---@type {id: string, text: string}[] output of evaluations that nobody has claimed yet

local function is_shown(repl)
  return repl and vim.api.nvim_buf_is_valid(repl.buffer)
end

--- Show from now on what the evaluation ID prints, and what it has printed.
local function claim(repl, id)
  if not repl.shown[id] then
    repl.shown[id] = 0
    for index, each in ipairs(early) do
      if each.id == id then
        table.remove(early, index)
        return text.print(repl, id, each.text)
      end
    end
  end
end

local function ready(repl)
  repl.running = nil
  text.draw_prompt(repl)
end

local function paused(repl, evaluation)
  claim(repl, evaluation.id)
  text.write_rest(repl, evaluation)
  text.write_outcome(repl, evaluation)
  if evaluation.state ~= 'stopped' then
    repl.shown[evaluation.id] = nil
  end
  repl.package = type(evaluation.package) == 'string' and evaluation.package or repl.package
  ready(repl)
end

local function failed(repl, problem)
  local id = type(problem.data) == 'table' and problem.data.evaluation
  if not id then
    text.fresh_line(repl)
    text.write(repl, '; ' .. problem.message .. '\n', 'DiagnosticError')
    return ready(repl)
  end
  claim(repl, id)
  repl.running = id
  local function again(error)
    failed(repl, error)
  end
  call('lisp.evaluation', { id = id, waitMs = LONG_MS }, function(evaluation)
    if evaluation.state == 'running' then
      return again({ data = { evaluation = id } })
    end
    paused(repl, evaluation)
  end, again)
end

local function send(repl, code)
  text.enter(repl, code)
  table.insert(repl.history, code)
  repl.at, repl.running = nil, true
  text.draw_prompt(repl)
  local operation, params = repl:evaluation(code)
  call(operation, vim.tbl_extend('force', params, { timeoutMs = KNOWN_AFTER_MS }), function(evaluation)
    paused(repl, evaluation)
  end, function(problem)
    failed(repl, problem)
  end)
end

--- Evaluate what was typed, or begin a new line while a form is open; on a value, look into it.
local function enter(repl)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  if row < text.prompt_row(repl) then
    local value = text.value_at(repl, row)
    return value and require('descartes.inspector').open(value)
  end
  local code = text.input_of(repl)
  if vim.trim(code) == '' then
    return
  elseif repl.closed then
    return vim.notify(repl.closed)
  elseif repl.running then
    return vim.notify('Descartes: an evaluation runs; <C-c> stops it')
  end
  call('lisp.inputComplete', { text = code }, function(answer)
    if answer.complete then
      send(repl, code)
    else
      text.set_input(repl, code .. '\n' .. (' '):rep(2 * math.max(answer.open or 1, 1)))
    end
  end)
end

--- Put the input BY places earlier or later into the place of what is typed.
local function recall(repl, by)
  local at = math.min(math.max((repl.at or #repl.history + 1) + by, 1), #repl.history + 1)
  repl.at = at
  text.set_input(repl, repl.history[at] or '')
end

local function interrupt(repl)
  if not repl.running then
    return vim.notify('Descartes: nothing runs here')
  end
  call('lisp.interrupt', type(repl.running) == 'string' and { evaluation = repl.running } or {})
end

--- Return how many units of ENCODING the first BYTES of LINE are.
function M.units(line, bytes, encoding)
  if encoding == 'utf-8' then
    return bytes
  end
  local characters, units = vim.str_utfindex(line, bytes)
  return encoding == 'utf-32' and characters or units
end

--- Return what is typed of REPL before the cursor.
local function before_cursor(repl)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.api.nvim_buf_get_lines(repl.buffer, text.prompt_row(repl), row, false)
  lines[#lines] = (lines[#lines] or ''):sub(1, column)
  return table.concat(lines, '\n'), column
end

--- Find what may stand before the cursor; return the column where it begins, as an 'omnifunc' does.
local function find_completions(repl)
  local typed, column = before_cursor(repl)
  local encoding = require('descartes').client().offset_encoding
  local offset = M.units(typed, #typed, encoding)
  repl.found = nil
  local params = vim.tbl_extend('force', repl:completion(), { text = typed, offset = offset })
  call('lisp.complete', params, function(answer)
    repl.found = answer
  end, function()
    repl.found = { items = {}, start = offset }
  end)
  vim.wait(2000, function()
    return repl.found ~= nil
  end, 5)
  if not repl.found then
    return -3
  end
  local start = #typed
  while start > 0 and M.units(typed, start, encoding) > repl.found.start do
    start = start - 1
  end
  return column - (#typed - start)
end

--- Complete the symbol before the cursor: the 'omnifunc' of a REPL.
function M.complete(find_start, _)
  local repl = repls[vim.b.descartes_repl]
  if not repl then
    return find_start == 1 and -3 or {}
  elseif find_start == 1 then
    return find_completions(repl)
  end
  return vim.tbl_map(function(item)
    return { word = item.label, menu = type(item.detail) == 'string' and item.detail or nil }
  end, repl.found and repl.found.items or {})
end

local function keys(repl)
  local function map(modes, key, act, ...)
    local arguments = { ... }
    vim.keymap.set(modes, key, function()
      act(repl, unpack(arguments))
    end, { buffer = repl.buffer, silent = true })
  end
  map({ 'n', 'i' }, '<CR>', enter)
  map({ 'n', 'i' }, '<C-c>', interrupt)
  map('i', '<C-p>', recall, -1)
  map('i', '<C-n>', recall, 1)
  vim.keymap.set('i', '<Tab>', '<C-x><C-o>', { buffer = repl.buffer })
end

--- Make REPL, which has a name, a prompt and says what evaluates, and go there; the one of that name when it is there.
---@param repl table `name`, `package`, `prompt(repl)`, `evaluation(repl, code)`, `completion(repl)`
---@return descartes.Repl repl, boolean made
function M.open_as(repl)
  local there = repls[repl.name]
  local made = not is_shown(there)
  if made then
    there = vim.tbl_extend('force', { history = {}, shown = {}, values = {} }, repl)
    repls[repl.name] = there
    text.make_buffer(there, HELP)
    keys(there)
  end
  M.buffer = there.buffer
  text.show(there)
  return there, made
end

local function recall_history(repl, name)
  call('lisp.replHistory', { ['repl'] = name, limit = 200 }, function(answer)
    for _, input in ipairs(answer.inputs) do
      table.insert(repl.history, 1, input.code)
    end
  end, function() end)
end

--- Show the REPL NAME, "main" without one, and go there.
function M.open(name)
  name = name ~= '' and name or 'main'
  local repl, made = M.open_as({
    name = 'repl/' .. name,
    package = 'COMMON-LISP-USER',
    prompt = function(repl)
      return (repl.package == 'COMMON-LISP-USER' and 'CL-USER' or repl.package) .. '> '
    end,
    evaluation = function(_, code)
      return 'lisp.eval', { code = code, ['repl'] = name }
    end,
    completion = function()
      return { ['repl'] = name }
    end,
  })
  if made then
    recall_history(repl, name)
  end
end

--- Write NOTE above the prompt of REPL and evaluate nothing there any more.
function M.close(repl, note)
  repl.closed = 'Descartes: ' .. note
  repls[repl.name] = nil
  if is_shown(repl) then
    text.fresh_line(repl)
    text.write(repl, ('; %s\n'):format(note), 'Comment')
    -- Its name is free for the console of the next stop there.
    vim.api.nvim_buf_set_name(repl.buffer, ('descartes://%s (%d)'):format(repl.name, repl.buffer))
  end
end

--- Take in output; returns whether a REPL shows it.
function M.output(params)
  local id = type(params.evaluation) == 'string' and params.evaluation
  if not id then
    return false
  end
  local waits = false
  for _, repl in pairs(repls) do
    if repl.shown[id] and is_shown(repl) then
      text.print(repl, id, params.text)
      return true
    end
    waits = waits or repl.running == true
  end
  if waits then
    -- Perhaps of an evaluation that was just asked for here: it is known by its id soon.
    for _, each in ipairs(early) do
      if each.id == id then
        each.text = each.text .. params.text
        return false
      end
    end
    table.insert(early, 1, { id = id, text = params.text })
    early[EARLY + 1] = nil
  end
  return false
end

--- Show EVALUATION, which has ended, in the REPL where it had stopped.
function M.evaluated(evaluation)
  for _, repl in pairs(repls) do
    if repl.shown[evaluation.id] and not repl.running and is_shown(repl) then
      text.write_rest(repl, evaluation)
      text.write_outcome(repl, evaluation)
      repl.shown[evaluation.id] = nil
    end
  end
end

return M
