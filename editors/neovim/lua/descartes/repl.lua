--- REPLs: buffers in which one types to the image. The prompt is drawn, not written, so that it cannot be edited;
--- what an evaluation prints stands above it, in the REPL that asked for it, whenever it is printed.
local M = {}

local KNOWN_AFTER_MS = 200 -- an evaluation that takes longer is known by its id, and its output shown as it comes
local LONG_MS = 3600000
local MAX_LINES = 50000
local EARLY = 20

local prompts = vim.api.nvim_create_namespace('descartes-repl-prompt')
local colours = vim.api.nvim_create_namespace('descartes-repl')
local values = vim.api.nvim_create_namespace('descartes-repl-values')
local repls = {} ---@type table<string, table> by name
local early = {} ---@type {id: string, text: string}[] output of evaluations that nobody has claimed yet

local function call(...)
  require('descartes').call(...)
end

local function prompt_row(repl)
  return vim.api.nvim_buf_get_extmark_by_id(repl.buffer, prompts, repl.mark, {})[1]
end

local function prompt(repl)
  return (repl.package == 'COMMON-LISP-USER' and 'CL-USER' or repl.package) .. '> '
end

local function draw_prompt(repl, row)
  repl.mark = vim.api.nvim_buf_set_extmark(repl.buffer, prompts, row, 0, {
    id = repl.mark,
    virt_text = { { repl.running and '… ' or prompt(repl), 'Statement' } },
    virt_text_pos = 'inline',
    right_gravity = false,
  })
end

local function shorten(repl)
  local too_many = vim.api.nvim_buf_line_count(repl.buffer) - MAX_LINES
  if too_many > 0 then
    vim.api.nvim_buf_set_lines(repl.buffer, 0, too_many + MAX_LINES / 2, false, {})
  end
end

local function follow(repl)
  local last = vim.api.nvim_buf_line_count(repl.buffer)
  for _, window in ipairs(vim.fn.win_findbuf(repl.buffer)) do
    if window ~= vim.api.nvim_get_current_win() then
      vim.api.nvim_win_set_cursor(window, { last, 0 })
    end
  end
end

--- Write TEXT in the colour GROUP above the prompt; returns the row at which it begins.
local function write(repl, text, group)
  local row = prompt_row(repl)
  local lines = vim.split(text, '\n', { plain = true })
  local first, column = row, 0
  if repl.unfinished then
    first = row - 1
    local before = vim.api.nvim_buf_get_lines(repl.buffer, first, row, false)[1]
    column = #before
    lines[1] = before .. lines[1]
  end
  repl.unfinished = lines[#lines] ~= ''
  if not repl.unfinished then
    lines[#lines] = nil
  end
  if #lines > 0 then
    vim.api.nvim_buf_set_lines(repl.buffer, first, row, false, lines)
    local last = first + #lines - 1
    if group then
      vim.api.nvim_buf_set_extmark(repl.buffer, colours, first, column, { end_row = last, end_col = #lines[#lines], hl_group = group })
    end
    draw_prompt(repl, last + 1)
  end
  shorten(repl)
  follow(repl)
  return first
end

local function fresh_line(repl)
  if repl.unfinished then
    repl.unfinished = false
  end
end

local function write_value(repl, evaluation, text, index)
  local name = ''
  if type(evaluation.number) == 'number' then
    name = ('#v%d%s '):format(evaluation.number, index > 0 and (':' .. index) or '')
  end
  local row = write(repl, name .. '⇒ ' .. text .. '\n', 'Constant')
  local n_lines = select(2, text:gsub('\n', '')) + 1
  vim.api.nvim_buf_set_extmark(repl.buffer, colours, row, 0, { end_col = #name + #'⇒', hl_group = 'Comment', priority = 5000 })
  for line = row, row + n_lines - 1 do
    local mark = vim.api.nvim_buf_set_extmark(repl.buffer, values, line, 0, {})
    repl.values[mark] = { evaluation = evaluation.id, value = index }
  end
end

local function write_outcome(repl, evaluation)
  local condition = type(evaluation.condition) == 'table' and vim.trim((evaluation.condition.message:gsub('%s+', ' '))) or nil
  if evaluation.state == 'done' then
    for index, text in ipairs(evaluation.values) do
      write_value(repl, evaluation, text, index - 1)
    end
    if #evaluation.values == 0 then
      write(repl, '; no values\n', 'Comment')
    end
  elseif evaluation.state == 'stopped' then
    write(repl, ('; stopped: %s  (:Descartes debugger)\n'):format(condition or ''), 'DiagnosticError')
  else
    write(repl, ('; %s%s\n'):format(evaluation.state, condition and (': ' .. condition) or ''), 'DiagnosticError')
  end
end

local function print_of(repl, id, text)
  repl.shown[id] = repl.shown[id] + vim.fn.strchars(text)
  write(repl, text, 'String')
end

--- Show from now on what the evaluation ID prints, and what it has printed.
local function claim(repl, id)
  if not repl.shown[id] then
    repl.shown[id] = 0
    for index, each in ipairs(early) do
      if each.id == id then
        table.remove(early, index)
        return print_of(repl, id, each.text)
      end
    end
  end
end

local function show_rest(repl, evaluation)
  local shown = repl.shown[evaluation.id] or 0
  if vim.fn.strchars(evaluation.output) > shown then
    print_of(repl, evaluation.id, vim.fn.strcharpart(evaluation.output, shown))
  end
  fresh_line(repl)
  if type(evaluation.outputFile) == 'string' then
    write(repl, ('; all %d bytes are in %s\n'):format(evaluation.outputBytes, evaluation.outputFile), 'Comment')
  end
end

local function ready(repl)
  repl.running = nil
  draw_prompt(repl, prompt_row(repl))
end

local function paused(repl, evaluation)
  claim(repl, evaluation.id)
  show_rest(repl, evaluation)
  write_outcome(repl, evaluation)
  if evaluation.state ~= 'stopped' then
    repl.shown[evaluation.id] = nil
  end
  repl.package = type(evaluation.package) == 'string' and evaluation.package or repl.package
  ready(repl)
end

local function failed(repl, problem)
  local id = type(problem.data) == 'table' and problem.data.evaluation
  if not id then
    fresh_line(repl)
    write(repl, '; ' .. problem.message .. '\n', 'DiagnosticError')
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

local function input_of(repl)
  return table.concat(vim.api.nvim_buf_get_lines(repl.buffer, prompt_row(repl), -1, false), '\n')
end

local function set_input(repl, text)
  local row = prompt_row(repl)
  vim.api.nvim_buf_set_lines(repl.buffer, row, -1, false, vim.split(text, '\n', { plain = true }))
  draw_prompt(repl, row)
  local last = vim.api.nvim_buf_line_count(repl.buffer)
  vim.api.nvim_win_set_cursor(0, { last, #vim.api.nvim_buf_get_lines(repl.buffer, last - 1, last, false)[1] })
end

local function send(repl, code)
  set_input(repl, '')
  local row = write(repl, prompt(repl) .. code .. '\n')
  vim.api.nvim_buf_set_extmark(repl.buffer, colours, row, 0, { end_col = #prompt(repl), hl_group = 'Statement' })
  table.insert(repl.history, code)
  repl.at, repl.running = nil, true
  draw_prompt(repl, prompt_row(repl))
  call('lisp.eval', { code = code, ['repl'] = repl.name, timeoutMs = KNOWN_AFTER_MS }, function(evaluation)
    paused(repl, evaluation)
  end, function(problem)
    failed(repl, problem)
  end)
end

--- Evaluate what was typed, or begin a new line while a form is open; on a value, look into it.
local function enter(repl)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  if row < prompt_row(repl) then
    local mark = vim.api.nvim_buf_get_extmarks(repl.buffer, values, { row, 0 }, { row, -1 }, { limit = 1 })[1]
    local value = mark and repl.values[mark[1]]
    return value and require('descartes.inspector').open(value)
  end
  local code = input_of(repl)
  if vim.trim(code) == '' then
    return
  elseif repl.running then
    return vim.notify('Descartes: an evaluation runs; <C-c> stops it')
  end
  call('lisp.inputComplete', { text = code }, function(answer)
    if answer.complete then
      send(repl, code)
    else
      set_input(repl, code .. '\n' .. (' '):rep(2 * math.max(answer.open or 1, 1)))
    end
  end)
end

--- Put the input BY places earlier or later into the place of what is typed.
local function recall(repl, by)
  local at = math.min(math.max((repl.at or #repl.history + 1) + by, 1), #repl.history + 1)
  repl.at = at
  set_input(repl, repl.history[at] or '')
end

local function interrupt(repl)
  if not repl.running then
    return vim.notify('Descartes: nothing runs here')
  end
  call('lisp.interrupt', type(repl.running) == 'string' and { evaluation = repl.running } or {})
end

--- Return how many units of ENCODING the first BYTES of TEXT are.
function M.units(text, bytes, encoding)
  if encoding == 'utf-8' then
    return bytes
  end
  local characters, units = vim.str_utfindex(text, bytes)
  return encoding == 'utf-32' and characters or units
end

--- Complete the symbol before the cursor: the 'omnifunc' of a REPL.
function M.complete(find_start, _)
  local repl = repls[vim.b.descartes_repl]
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  if find_start == 1 then
    local lines = vim.api.nvim_buf_get_lines(repl.buffer, prompt_row(repl), row, false)
    lines[#lines] = (lines[#lines] or ''):sub(1, column)
    local text = table.concat(lines, '\n')
    local encoding = require('descartes').client().offset_encoding
    local offset = M.units(text, #text, encoding)
    repl.found = nil
    call('lisp.complete', { text = text, offset = offset, ['repl'] = repl.name }, function(answer)
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
    local start = #text
    while start > 0 and M.units(text, start, encoding) > repl.found.start do
      start = start - 1
    end
    return column - (#text - start)
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

local function make(name)
  local repl = {
    name = name,
    buffer = vim.api.nvim_create_buf(false, true),
    package = 'COMMON-LISP-USER',
    history = {},
    shown = {},
    values = {},
  }
  repls[name] = repl
  vim.api.nvim_buf_set_name(repl.buffer, 'descartes://repl/' .. name)
  vim.bo[repl.buffer].bufhidden = 'hide'
  vim.bo[repl.buffer].omnifunc = "v:lua.require'descartes.repl'.complete"
  vim.b[repl.buffer].descartes_repl = name
  vim.api.nvim_buf_set_lines(repl.buffer, 0, -1, false, { '; <CR> evaluate  <Tab> complete  <C-p> <C-n> earlier  <C-c> stop', '' })
  draw_prompt(repl, 1)
  keys(repl)
  call('lisp.replHistory', { ['repl'] = name, limit = 200 }, function(answer)
    for _, input in ipairs(answer.inputs) do
      table.insert(repl.history, 1, input.code)
    end
  end, function() end)
  return repl
end

--- Show the REPL NAME, "main" without one, and go there.
function M.open(name)
  name = name ~= '' and name or 'main'
  local repl = repls[name]
  if not (repl and vim.api.nvim_buf_is_valid(repl.buffer)) then
    repl = make(name)
  end
  M.buffer = repl.buffer
  local window = vim.fn.win_findbuf(repl.buffer)[1]
  if window then
    vim.api.nvim_set_current_win(window)
  else
    window = vim.api.nvim_open_win(repl.buffer, true, { split = 'below', win = 0, height = math.max(8, math.floor(vim.o.lines * 0.35)) })
    vim.wo[window][0].number, vim.wo[window][0].relativenumber, vim.wo[window][0].signcolumn = false, false, 'no'
  end
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(repl.buffer), 0 })
end

--- Take in output; returns whether a REPL shows it.
function M.output(params)
  local id = type(params.evaluation) == 'string' and params.evaluation
  if not id then
    return false
  end
  local waits = false
  for _, repl in pairs(repls) do
    if repl.shown[id] and vim.api.nvim_buf_is_valid(repl.buffer) then
      print_of(repl, id, params.text)
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
    if repl.shown[evaluation.id] and not repl.running and vim.api.nvim_buf_is_valid(repl.buffer) then
      show_rest(repl, evaluation)
      write_outcome(repl, evaluation)
      repl.shown[evaluation.id] = nil
    end
  end
end

return M
