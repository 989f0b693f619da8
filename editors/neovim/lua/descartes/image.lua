--- What the image says: its state, output, results, and its questions for a line of text.
local M = {}

--- The last status; `:lua =require('descartes.image').state` or a status line may show it.
M.state = { state = 'stopped' }
M.last = nil ---@type table? the last evaluation that ended

local MAX_LINES = 10000
local output_buffer

local function buffer()
  if not (output_buffer and vim.api.nvim_buf_is_valid(output_buffer)) then
    output_buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(output_buffer, 'descartes://output')
    vim.bo[output_buffer].bufhidden = 'hide'
  end
  return output_buffer
end

local function append(text)
  local into = buffer()
  local last = vim.api.nvim_buf_get_lines(into, -2, -1, false)[1] or ''
  local lines = vim.split(last .. text, '\n', { plain = true })
  vim.api.nvim_buf_set_lines(into, -2, -1, false, lines)
  local count = vim.api.nvim_buf_line_count(into)
  if count > MAX_LINES then
    vim.api.nvim_buf_set_lines(into, 0, count - MAX_LINES, false, {})
    count = MAX_LINES
  end
  for _, window in ipairs(vim.fn.win_findbuf(into)) do
    vim.api.nvim_win_set_cursor(window, { count, 0 })
  end
end

function M.status(params)
  M.state = params
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesStatus', data = params })
end

function M.output(params)
  append(params.text)
end

function M.evaluated(params)
  M.last = params
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesEvaluated', data = params })
end

--- Show the result of an evaluation on the command line, shortened to it.
function M.show(evaluation)
  if evaluation.state == 'stopped' then
    return
  end
  local text = evaluation.state
  if evaluation.state == 'done' then
    text = #evaluation.values == 0 and 'no values' or table.concat(evaluation.values, '  ')
  end
  local line = '⇒ ' .. text:gsub('%s*\n%s*', ' ')
  vim.api.nvim_echo({ { vim.fn.strcharpart(line, 0, vim.o.columns - 12) } }, true, {})
end

--- Answer the server's request for a line of text; asked on the command line with the image's own prompt.
function M.input(params, _)
  if params.kind == 'yesOrNo' then
    return { text = vim.fn.confirm(params.prompt, '&yes\n&no', 2) == 1 and 'yes' or 'no' }
  end
  return { text = vim.fn.input(params.prompt ~= '' and params.prompt or 'Lisp reads: ') }
end

--- Open the output beside the code, without leaving it.
function M.open_output()
  if #vim.fn.win_findbuf(buffer()) == 0 then
    vim.api.nvim_open_win(buffer(), false, { split = 'below', win = 0, height = 10 })
  end
end

return M
