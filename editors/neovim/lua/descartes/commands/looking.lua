--- The subcommands of :Descartes that look into the image: objects, names, callers, expansions, traces, profiles.
local place = require('descartes.place')

local function explore(name)
  return function(text)
    require('descartes.explore')[name](place.symbol(text))
  end
end

local function xref(kind)
  return function(text)
    require('descartes.explore').xref(place.symbol(text), kind)
  end
end

local function expand(mode)
  return function()
    require('descartes.explore').expand(place.here(), mode)
  end
end

return {
  ['inspect'] = function(expression)
    local code = expression ~= '' and expression or vim.fn.expand('<cword>')
    require('descartes.inspector').open({ expression = code })
  end,
  ['describe'] = explore('describe'),
  ['disassemble'] = explore('disassemble'),
  ['trace'] = explore('trace'),
  ['undefine'] = explore('undefine'),
  ['unintern'] = explore('unintern'),
  ['untrace'] = function()
    require('descartes.explore').untrace()
  end,
  ['trace-tree'] = function()
    require('descartes.explore').trace_tree()
  end,
  ['apropos'] = function(text)
    require('descartes.explore').apropos(text ~= '' and text or vim.fn.expand('<cword>'))
  end,
  ['threads'] = function()
    require('descartes.explore').threads()
  end,
  ['expand'] = expand('1'),
  ['expand-all'] = expand('all'),
  ['expand-compiler-macro'] = expand('compiler'),
  ['callers'] = xref('callers'),
  ['callees'] = xref('callees'),
  ['references'] = xref('references'),
  ['binds'] = xref('binds'),
  ['sets'] = xref('sets'),
  ['macroexpands'] = xref('macroexpands'),
  ['specializes'] = xref('specializes'),
  ['profile'] = function(code)
    require('descartes.profiling').profile(code ~= '' and { code = code } or place.here())
  end,
  ['profile-start'] = function(mode)
    require('descartes.profiling').start(mode)
  end,
  ['profile-stop'] = function()
    require('descartes.profiling').stop()
  end,
}
