;;; minimal.el --- Emacs with this package and nothing else -*- lexical-binding: t -*-

;;; Commentary:

;; Start Emacs in this folder with the options `-q -L . -l minimal.el' and the
;; name of a Lisp file.

;;; Code:

(setq make-backup-files nil debug-on-error t)
(require 'descartes)

(provide 'minimal)
;;; minimal.el ends here
