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

--- Return how FILE, one that a restore would change, is shown: what happens to it, and whose work is in the way.
local function file_line(file)
  local notes = {}
  if file.userEdited == true then
    notes[#notes + 1] = 'edited by a person'
  end
  if type(file.leasedBy) == 'table' then
    notes[#notes + 1] = 'held by ' .. file.leasedBy.name
  end
  if type(file.unsaved) == 'string' then
    notes[#notes + 1] = 'unsaved in ' .. file.unsaved
  end
  local warn = #notes > 0
  return { id = file.path, text = file.path, note = table.concat({ file.change, unpack(notes) }, ', '), warn = warn }
end

--- Return how BODY, one of those that a restore offers, is shown; the image is not proposed, because it ends the one
--- that runs.
local function body_line(body)
  return { id = body.body, text = body.title, note = body.detail, off = body.body == 'image' }
end

--- Return the lines to mark for the argument NAME of a choice of QUESTION, or nothing: then it is asked as a text.
local function lines_for(question, name, given)
  local data = type(question.data) == 'table' and question.data or {}
  if name ~= 'paths' or not data.files then
    return nil
  elseif given.bodies and not vim.tbl_contains(given.bodies, 'body') then
    return {}
  end
  return vim.tbl_map(file_line, data.files)
end

--- Return how the argument NAME of a choice of QUESTION is asked as a text; a tool's own arguments are there to be edited.
local function field_for(question, name)
  local data = type(question.data) == 'table' and question.data or {}
  local proposed = name == 'arguments' and type(data.toolArgs) == 'table' and vim.json.encode(data.toolArgs) or nil
  return { name = name, optional = name == 'reason' or name == 'paths', default = proposed }
end

--- Ask for the arguments of CHOICE from the one at INDEX on, into GIVEN by name; then DO_IT with them.
local function ask_arguments(question, choice, index, given, do_it)
  local name = (choice.arguments or {})[index]
  local function go_on(value)
    given[name] = value
    ask_arguments(question, choice, index + 1, given, do_it)
  end
  if not name then
    return do_it(given)
  end
  local lines = lines_for(question, name, given)
  if lines and #lines == 0 then
    return go_on(nil)
  elseif lines then
    return require('descartes.choosing').several('Which files?', lines, go_on)
  end
  asking.texts({ field_for(question, name) }, function(texts)
    go_on(texts[1])
  end)
end

--- Ask what of what QUESTION offers goes back, when there is a choice of that and CHOICE is to go back; then GO_ON.
local function ask_bodies(question, choice, go_on)
  local bodies = type(question.data) == 'table' and question.data.bodies or {}
  if #bodies < 2 or not vim.tbl_contains(choice.arguments or {}, 'paths') then
    return go_on({})
  end
  require('descartes.choosing').several('What goes back?', vim.tbl_map(body_line, bodies), function(ids)
    go_on({ bodies = ids })
  end)
end

--- Answer QUESTION with CHOICE and what was GIVEN with it: reason and bodies by name, the rest in order.
local function send(question, choice, given)
  local params = { id = question.id, choice = choice.id, reason = given.reason, bodies = given.bodies }
  for _, name in ipairs(choice.arguments or {}) do
    local value = given[name]
    if name ~= 'reason' and value then
      params.arguments = vim.list_extend(params.arguments or {}, type(value) == 'table' and value or { value })
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
    close()
    if choice then
      ask_bodies(question, choice, function(bodies)
        ask_arguments(question, choice, 1, bodies, function(given)
          send(question, choice, given)
        end)
      end)
    end
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
