--- Asking the person for texts, one after the other.
local M = {}

---@class descartes.Field
---@field name string shown as the prompt
---@field optional? boolean an empty answer is none
---@field many? boolean asked again until the answer is empty

local function ask(field, again, done)
  local more = again and ' (empty: no more)' or field.optional and ' (may be empty)' or ''
  vim.ui.input({ prompt = ('%s%s: '):format(field.name:lower(), more) }, done)
end

--- Ask for every one of FIELDS; DONE gets the texts. Dismissing any of them, or leaving out a required one, ends it.
---@param fields descartes.Field[]
---@param done fun(texts: string[])
function M.texts(fields, done)
  local given = {}
  local function next_one(index, again)
    local field = fields[index]
    if not field then
      return done(given)
    end
    ask(field, again, function(text)
      local answered = text ~= nil and text ~= ''
      if answered then
        given[#given + 1] = text
      end
      if answered and field.many then
        next_one(index, true)
      elseif answered or (text == '' and (again or field.optional)) then
        next_one(index + 1, false)
      end
    end)
  end
  next_one(1, false)
end

--- Return the fields for the arguments that RESTART wants from a person; those it can do without are not asked for.
---@param restart {arguments: {name: string, kind: string}[]?, interactive: boolean}
---@return descartes.Field[]
function M.of_restart(restart)
  local fields = {}
  for _, argument in ipairs(restart.arguments or {}) do
    if argument.kind == 'required' then
      fields[#fields + 1] = { name = argument.name }
    elseif argument.kind == 'rest' and restart.interactive then
      fields[#fields + 1] = { name = argument.name, optional = true, many = true }
    end
  end
  return fields
end

return M
