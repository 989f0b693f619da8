--- Questions that runs ask: announced in one line, answered from a list, never in the way of typing.
local M = {}

M.open = {} ---@type table[] the questions that are open now

local announced = {}

function M.changed(params)
  M.open = params.interventions
  for _, question in ipairs(M.open) do
    if not announced[question.id] and question.kind ~= 'restart' then
      announced[question.id] = true
      vim.notify(('Descartes asks: %s  (:Descartes interventions)'):format(question.title))
    end
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesInterventions', data = params })
end

--- Ask the person for the arguments that CHOICE takes, one after the other; DONE gets them.
local function arguments(choice, done, given)
  given = given or {}
  local name = (choice.arguments or {})[#given + 1]
  if not name then
    return done(given)
  end
  vim.ui.input({ prompt = name .. ': ' }, function(text)
    if text then
      given[#given + 1] = text
      arguments(choice, done, given)
    end
  end)
end

local function answer(question)
  vim.ui.select(question.choices, {
    prompt = question.title,
    format_item = function(choice)
      return choice.title
    end,
  }, function(choice)
    if not choice then
      return
    end
    arguments(choice, function(given)
      local params = { id = question.id, choice = choice.id }
      if #given > 0 then
        params.arguments = given
      end
      require('descartes').call('intervention.answer', params)
    end)
  end)
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
