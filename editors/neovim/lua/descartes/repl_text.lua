--- The text of a REPL's buffer. The prompt is drawn, not written, so that it cannot be edited; what an evaluation
--- prints, and its values, stand above it.
local M = {}

local MAX_LINES = 50000
local prompts = vim.api.nvim_create_namespace('descartes-repl-prompt')
local colours = vim.api.nvim_create_namespace('descartes-repl')
local values = vim.api.nvim_create_namespace('descartes-repl-values')

---@class descartes.Repl
---@field name string
---@field buffer integer
---@field package string
---@field prompt fun(repl: descartes.Repl): string what stands before the input
---@field history string[]
---@field shown table<string, integer> how many characters of its output are shown, by evaluation
---@field values table<integer, table> what is to be inspected, by mark
---@field running? boolean|string an evaluation runs; its id, once that is known

--- Return the row, from 0, at which the input begins.
function M.prompt_row(repl)
  return vim.api.nvim_buf_get_extmark_by_id(repl.buffer, prompts, repl.mark, {})[1]
end

--- Draw the prompt at ROW, by default where it is.
function M.draw_prompt(repl, row)
  repl.mark = vim.api.nvim_buf_set_extmark(repl.buffer, prompts, row or M.prompt_row(repl), 0, {
    id = repl.mark,
    virt_text = { { repl.running and '… ' or repl:prompt(), 'Statement' } },
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
function M.write(repl, text, group)
  local row = M.prompt_row(repl)
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
    M.draw_prompt(repl, last + 1)
  end
  shorten(repl)
  follow(repl)
  return first
end

--- Let what is written next begin a line.
function M.fresh_line(repl)
  repl.unfinished = false
end

local function write_value(repl, evaluation, text, index)
  local name = ''
  if type(evaluation.number) == 'number' then
    name = ('#v%d%s '):format(evaluation.number, index > 0 and (':' .. index) or '')
  end
  local row = M.write(repl, name .. '⇒ ' .. text .. '\n', 'Constant')
  local n_lines = select(2, text:gsub('\n', '')) + 1
  vim.api.nvim_buf_set_extmark(repl.buffer, colours, row, 0, { end_col = #name + #'⇒', hl_group = 'Comment', priority = 5000 })
  for line = row, row + n_lines - 1 do
    local mark = vim.api.nvim_buf_set_extmark(repl.buffer, values, line, 0, {})
    repl.values[mark] = { evaluation = evaluation.id, value = index }
  end
end

--- Return what the line at ROW shows the value of, as parameters of `inspector.open`, or nil.
function M.value_at(repl, row)
  local mark = vim.api.nvim_buf_get_extmarks(repl.buffer, values, { row, 0 }, { row, -1 }, { limit = 1 })[1]
  return mark and repl.values[mark[1]]
end

--- Write what became of EVALUATION.
function M.write_outcome(repl, evaluation)
  local condition = type(evaluation.condition) == 'table' and vim.trim((evaluation.condition.message:gsub('%s+', ' '))) or nil
  if evaluation.state == 'done' then
    for index, text in ipairs(evaluation.values) do
      write_value(repl, evaluation, text, index - 1)
    end
    if #evaluation.values == 0 then
      M.write(repl, '; no values\n', 'Comment')
    end
  elseif evaluation.state == 'stopped' then
    M.write(repl, ('; stopped: %s  (:Descartes debugger)\n'):format(condition or ''), 'DiagnosticError')
  else
    M.write(repl, ('; %s%s\n'):format(evaluation.state, condition and (': ' .. condition) or ''), 'DiagnosticError')
  end
end

--- Write TEXT, printed by the evaluation ID.
function M.print(repl, id, text)
  repl.shown[id] = repl.shown[id] + vim.fn.strchars(text)
  M.write(repl, text, 'String')
end

--- Write of the output of EVALUATION, which has paused, what is not shown yet.
function M.write_rest(repl, evaluation)
  local shown = repl.shown[evaluation.id] or 0
  if vim.fn.strchars(evaluation.output) > shown then
    M.print(repl, evaluation.id, vim.fn.strcharpart(evaluation.output, shown))
  end
  M.fresh_line(repl)
  if type(evaluation.outputFile) == 'string' then
    M.write(repl, ('; all %d bytes are in %s\n'):format(evaluation.outputBytes, evaluation.outputFile), 'Comment')
  end
end

--- Return what is typed after the prompt.
function M.input_of(repl)
  return table.concat(vim.api.nvim_buf_get_lines(repl.buffer, M.prompt_row(repl), -1, false), '\n')
end

--- Put TEXT in the place of what is typed, and the cursor behind it.
function M.set_input(repl, text)
  local row = M.prompt_row(repl)
  vim.api.nvim_buf_set_lines(repl.buffer, row, -1, false, vim.split(text, '\n', { plain = true }))
  M.draw_prompt(repl, row)
  local last = vim.api.nvim_buf_line_count(repl.buffer)
  vim.api.nvim_win_set_cursor(0, { last, #vim.api.nvim_buf_get_lines(repl.buffer, last - 1, last, false)[1] })
end

--- Write CODE above the prompt, as it was entered, and empty the input.
function M.enter(repl, code)
  M.set_input(repl, '')
  local prompt = repl:prompt()
  local row = M.write(repl, prompt .. code .. '\n')
  vim.api.nvim_buf_set_extmark(repl.buffer, colours, row, 0, { end_col = #prompt, hl_group = 'Statement' })
end

--- Give REPL its buffer, whose first line is HELP.
function M.make_buffer(repl, help)
  repl.buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(repl.buffer, 'descartes://' .. repl.name)
  vim.bo[repl.buffer].bufhidden = 'hide'
  vim.bo[repl.buffer].omnifunc = "v:lua.require'descartes.repl'.complete"
  vim.b[repl.buffer].descartes_repl = repl.name
  vim.api.nvim_buf_set_lines(repl.buffer, 0, -1, false, { help, '' })
  M.draw_prompt(repl, 1)
end

--- Show REPL in a window and go there, to its input.
function M.show(repl)
  local window = vim.fn.win_findbuf(repl.buffer)[1]
  if window then
    vim.api.nvim_set_current_win(window)
  else
    window = vim.api.nvim_open_win(repl.buffer, true, { split = 'below', win = 0, height = math.max(8, math.floor(vim.o.lines * 0.35)) })
    local options = vim.tbl_extend('force', require('descartes.views').OPTIONS, { wrap = true })
    for name, value in pairs(options) do
      vim.wo[window][0][name] = value
    end
  end
  vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(repl.buffer), 0 })
end

return M
