--- Questions that runs ask: announced in one line, answered from a list, never in the way of typing.
local M = {}

M.open = {} ---@type table[] the questions that are open now

local asking = require('descartes.asking')
local announced = {}
local awaited ---@type string? a question that the person brought about and answers as soon as it is there
local answer

function M.changed(params)
  M.open = params.interventions
  for _, question in ipairs(M.open) do
    if question.id == awaited then
      awaited, announced[question.id] = nil, true
      vim.schedule(function()
        answer(question)
      end)
    elseif not announced[question.id] and question.kind ~= 'restart' then
      announced[question.id] = true
      vim.notify(('Descartes asks: %s  (:Descartes interventions)'):format(question.title))
    end
  end
  vim.cmd.redrawstatus()
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesInterventions', data = params })
end

--- Show TEXT above the code while a choice is made; returns what takes it away.
local function show_detail(title, text)
  local lines = vim.split(vim.trim(text), '\n', { plain = true })
  if lines[1] == '' then
    return function() end
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].bufhidden, vim.bo[buffer].filetype = 'wipe', 'markdown'
  local window = vim.api.nvim_open_win(buffer, false, {
    relative = 'editor',
    row = 0,
    col = 2,
    width = math.min(vim.o.columns - 6, 90),
    height = math.min(#lines, math.max(vim.o.lines - 14, 3)),
    border = 'rounded',
    title = ' ' .. title .. ' ',
    style = 'minimal',
    focusable = false,
  })
  vim.wo[window].wrap, vim.wo[window].conceallevel = true, 2
  vim.cmd.redraw()
  return function()
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_close(window, true)
    end
  end
end

local function send(question, choice, texts)
  local params = { id = question.id, choice = choice.id }
  for index, name in ipairs(choice.arguments or {}) do
    if name == 'reason' then
      params.reason = texts[index]
    elseif texts[index] then
      params.arguments = params.arguments or {}
      table.insert(params.arguments, texts[index])
    end
  end
  require('descartes').call('intervention.answer', params)
end

function answer(question)
  local close = show_detail(question.title, question.detail or '')
  vim.ui.select(question.choices, {
    prompt = question.title,
    kind = 'descartes',
    format_item = function(choice)
      return choice.title
    end,
  }, function(choice)
    if not choice then
      return close()
    end
    local fields = vim.tbl_map(function(name)
      return { name = name, optional = name == 'reason' or name == 'paths', many = name == 'paths' }
    end, choice.arguments or {})
    asking.texts(fields, function(texts)
      send(question, choice, texts)
    end)
    close()
  end)
end

--- Have the person answer the question ID, now or as soon as the server has told of it.
function M.ask(id)
  for _, question in ipairs(M.open) do
    if question.id == id then
      return answer(question)
    end
  end
  awaited = id
end

--- Let the person pick a question, and answer it.
function M.choose()
  if #M.open == 0 then
    return vim.notify('Descartes: no question is open')
  end
  if #M.open == 1 then
    return answer(M.open[1])
  end
  vim.ui.select(M.open, {
    prompt = 'Which question?',
    kind = 'descartes',
    format_item = function(question)
      return question.title
    end,
  }, function(question)
    if question then
      answer(question)
    end
  end)
end

return M
