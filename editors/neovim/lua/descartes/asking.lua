--- Asking the person for texts, one after the other.
local M = {}

---@class descartes.Field
---@field name string shown as the prompt
---@field optional? boolean an empty answer is none
---@field many? boolean asked again until the answer is empty
---@field default? string proposed
---@field now? string the value of what is proposed

local function ask(field, again, done)
  local more = again and ' (empty: no more)' or field.optional and ' (may be empty)' or ''
  local now = field.now and not again and (' (now %s)'):format(field.now) or ''
  vim.ui.input({
    prompt = ('%s%s%s: '):format(field.name:lower(), now, more),
    default = not again and field.default or nil,
  }, done)
end

--- Ask for every one of FIELDS; DONE gets the texts. Dismissing any of them, or leaving out a required one, ends it.
--- What comes after an optional one that is left out is left out too.
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
      local answered = text ~= nil and vim.trim(text) ~= ''
      if answered then
        given[#given + 1] = text
        next_one(field.many and index or index + 1, field.many)
      elseif text and (again or field.optional) then
        done(given)
      end
    end)
  end
  next_one(1, false)
end

--- Return the fields for the arguments that RESTART may be given by a person.
---@param restart {arguments: {name: string, kind: string, default: string?}[]?, interactive: boolean}
---@return descartes.Field[]
function M.of_restart(restart)
  local fields = {}
  for _, argument in ipairs(restart.arguments or {}) do
    local default = type(argument.default) == 'string' and argument.default or nil
    if argument.kind == 'required' then
      fields[#fields + 1] = { name = argument.name, default = default }
    elseif argument.kind == 'optional' then
      fields[#fields + 1] = { name = argument.name, default = default, optional = true }
    elseif argument.kind == 'rest' and restart.interactive then
      fields[#fields + 1] = { name = argument.name, optional = true, many = true }
    end
  end
  return fields
end

--- Return FIELDS; one without a default proposes that of LOCALS, the variables of a frame, which is called the same.
---@param fields descartes.Field[]
---@param locals {name: string, value: string}[]
function M.proposing(fields, locals)
  return vim.tbl_map(function(field)
    for _, variable in ipairs(locals) do
      if not field.default and variable.name:upper() == field.name:upper() then
        return vim.tbl_extend('force', field, { default = variable.name:lower(), now = variable.value })
      end
    end
    return field
  end, fields)
end

return M
