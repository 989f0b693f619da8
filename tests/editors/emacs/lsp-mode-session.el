;;; lsp-mode-session.el --- A session in Emacs with lsp-mode -*- lexical-binding: t -*-

;;; Code:

(load "lsp-mode-autoloads")
(require 'lsp-mode)
(require 'lsp-lens)
(require 'descartes-lsp-mode)
(require 'harness)
(require 'stops)
(require 'remembering)

(setq test-connect #'lsp
      lsp-auto-guess-root t lsp-restart 'ignore lsp-enable-file-watchers nil lsp-warn-no-matched-clients nil
      lsp-session-file (expand-file-name "lsp-session" (getenv "DESCARTES_HOME"))
      lsp-enable-snippet nil lsp-headerline-breadcrumb-enable nil lsp-modeline-code-actions-enable nil
      lsp-modeline-diagnostics-enable nil lsp-diagnostics-provider :flymake)

(defun test-answer (method &optional more)
  "Return the answer to METHOD about this file, with MORE parameters, as property lists."
  (descartes-lsp-mode--plist
   (lsp-request method (append (list :textDocument (lsp--text-document-identifier)) more))))

(defun test-lenses ()
  "Return the titles of the lenses; lsp-mode draws them only in a window with timers."
  (mapconcat (lambda (each) (plist-get (plist-get each :command) :title)) (test-answer "textDocument/codeLens") " "))

(defun test-hover ()
  "Return the hover at point."
  (plist-get (plist-get (test-answer "textDocument/hover" (list :position (lsp--cur-position))) :contents) :value))

(defun test-restart-by-code-action ()
  "A code action asks for the argument of its restart."
  (test-see "the old diagnostic to go" (not (test-diagnostic "DIVISION-BY-ZERO")))
  (setq test-messages nil)
  (descartes-eval "(average '())")
  (goto-char (flymake-diagnostic-beg (test-see "the stop" (test-diagnostic "DIVISION-BY-ZERO"))))
  (let ((action (cl-find-if (lambda (each) (string-prefix-p "USE-VALUE" (lsp-get each :title)))
                            (append (lsp-code-actions-at-point) nil))))
    (test-answering ("(* 6 9)") (lsp-execute-code-action action)))
  (test-see-message "⇒ 54"))

(ert-deftest a-session ()
  (test-start)
  (test-mistake)
  (test-stop)
  (should (string-match-p "■ DIVISION-BY-ZERO" (test-lenses)))
  (test-examine)
  (test-restart-by-button)
  (test-restart-by-code-action)
  (test-read-a-line)
  (test-two-stops)
  (test-notes)
  (test-agent #'test-hover #'test-lenses
              (lambda () (descartes-take-over "I am working on it")))
  (test-whiteboard)
  ;; Else Emacs would end in the middle of an answer.
  (lsp-workspace-shutdown (descartes-connection)))

(provide 'lsp-mode-session)
;;; lsp-mode-session.el ends here
