--- What the image says: its state, output, results, and its questions for a line of text.
local M = {}

--- The last status, as the server sent it.
M.state = { state = 'stopped' }
M.last = nil ---@type table? the last evaluation that ended

local MAX_LINES = 10000
local ENDED = { done = true, aborted = true, lost = true }
local output_buffer
local awaited = {} ---@type table<string, true> this editor's evaluations whose outcome was not shown yet
local shown_last ---@type string? the evaluation whose outcome was shown last
local waiting_inputs = {} ---@type {prompt: string, kind: string, answer: fun(text: string?)}[]

local function buffer()
  if not (output_buffer and vim.api.nvim_buf_is_valid(output_buffer)) then
    output_buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(output_buffer, 'descartes://output')
    vim.bo[output_buffer].bufhidden = 'hide'
  end
  return output_buffer
end

local function follow(window, count)
  if window ~= vim.api.nvim_get_current_win() then
    vim.api.nvim_win_set_cursor(window, { count, 0 })
  end
end

function M.status(params)
  local before = M.state.state
  M.state = params
  if params.state == 'lost' and before ~= 'lost' then
    local reason = params.reason and (': ' .. params.reason) or ''
    vim.notify(('Descartes: the Lisp image is lost%s; :Descartes start makes a new one'):format(reason), vim.log.levels.WARN)
  end
  vim.cmd.redrawstatus()
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesStatus', data = params })
end

--- Show what the image printed: in the REPL it belongs to, else in the output's buffer.
function M.output(params)
  if require('descartes.repl').output(params) then
    return
  end
  local into = buffer()
  local last = vim.api.nvim_buf_get_lines(into, -2, -1, false)[1] or ''
  local lines = vim.split(last .. params.text, '\n', { plain = true })
  vim.api.nvim_buf_set_lines(into, -2, -1, false, lines)
  local count = vim.api.nvim_buf_line_count(into)
  if count > MAX_LINES then
    vim.api.nvim_buf_set_lines(into, 0, count - MAX_LINES, false, {})
    count = MAX_LINES
  end
  for _, window in ipairs(vim.fn.win_findbuf(into)) do
    follow(window, count)
  end
end

local function outcome(evaluation)
  if evaluation.state ~= 'done' then
    return evaluation.state, 'DiagnosticWarn'
  end
  local values = #evaluation.values == 0 and 'no values' or table.concat(evaluation.values, '  ')
  return (values:gsub('%s*\n%s*', ' ')), 'Normal'
end

--- Show the result of an evaluation on the command line, shortened to it; one that has not ended is shown when it has.
function M.show(evaluation)
  if not ENDED[evaluation.state] then
    awaited[evaluation.id] = true
    return
  end
  awaited[evaluation.id] = nil
  if shown_last == evaluation.id then
    return
  end
  shown_last = evaluation.id
  local text, group = outcome(evaluation)
  local room = math.max(vim.o.columns - 16, 20)
  if vim.fn.strdisplaywidth(text) > room then
    text = vim.fn.strcharpart(text, 0, room - 1) .. '…'
  end
  vim.api.nvim_echo({ { '⇒ ', 'Special' }, { text, group } }, true, {})
end

function M.evaluated(params)
  M.last = params
  require('descartes.repl').evaluated(params)
  if ENDED[params.state] then
    require('descartes.debugger').settle(params.id)
  end
  if awaited[params.id] and ENDED[params.state] then
    M.show(params)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesEvaluated', data = params })
end

function M.tested(params)
  require('descartes.tests').tested(params)
  require('descartes.test_list').tested(params)
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesTested', data = params })
end

local function ask_input()
  local request = table.remove(waiting_inputs, 1)
  if not request then
    return vim.notify('Descartes: nothing is read now')
  end
  if request.kind == 'yesOrNo' then
    vim.ui.select({ 'yes', 'no' }, { prompt = request.prompt }, request.answer)
  else
    vim.ui.input({ prompt = request.prompt ~= '' and request.prompt or 'Lisp reads: ' }, request.answer)
  end
end

M.answer_input = ask_input

--- Answer the server's request for a line of text. In normal mode it is asked for at once; a person who is typing
--- is told, and answers with `:Descartes input`. Runs in the coroutine that Neovim makes for each request.
function M.input(params)
  local co = coroutine.running()
  waiting_inputs[#waiting_inputs + 1] = {
    prompt = params.prompt or '',
    kind = params.kind,
    tag = params.tag,
    answer = function(text)
      vim.schedule(function()
        coroutine.resume(co, { text = text or vim.NIL })
      end)
    end,
  }
  if vim.api.nvim_get_mode().mode == 'n' then
    vim.schedule(ask_input)
  else
    vim.notify(('Descartes: Lisp reads: %s  (:Descartes input)'):format(params.prompt or ''))
  end
  return coroutine.yield()
end

--- Forget a question that nobody reads the answer of. One that is on the screen stays there, because Neovim cannot
--- take it back: the server refuses its answer.
function M.input_ended(params)
  for index, request in ipairs(waiting_inputs) do
    if request.tag == params.tag then
      table.remove(waiting_inputs, index).answer(nil)
      break
    end
  end
  vim.notify('Descartes: the program does not read its input any more')
end

--- Open the output beside the code, without leaving it.
function M.open_output()
  if #vim.fn.win_findbuf(buffer()) == 0 then
    local window = vim.api.nvim_open_win(buffer(), false, { split = 'below', win = 0, height = 10 })
    vim.wo[window].winbar = 'Output'
    vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer()), 0 })
  end
end

return M
