;;; descartes-settings.el --- The file of settings -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes.toml' is served by the language server: names and values are
;; completed, what is wrong is marked, and hovers say what a setting does.

;;; Code:

(require 'conf-mode)

;;;###autoload
(define-derived-mode descartes-settings-mode conf-toml-mode "Descartes-Settings"
  "The settings of a workspace for Descartes.")

;;;###autoload
(add-to-list 'auto-mode-alist '("/descartes\\.toml\\'" . descartes-settings-mode))

(provide 'descartes-settings)
;;; descartes-settings.el ends here
