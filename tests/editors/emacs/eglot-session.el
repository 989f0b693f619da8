;;; eglot-session.el --- A session in Emacs with eglot -*- lexical-binding: t -*-

;;; Code:

(require 'harness)
(require 'stops)
(require 'remembering)

(setq eglot-sync-connect 20 eglot-confirm-server-initiated-edits nil)

(defun test-lenses ()
  "Return the text of the lenses drawn in this buffer."
  (mapconcat (lambda (each) (or (overlay-get each 'before-string) "")) (overlays-in (point-min) (point-max)) ""))

(defun test-hover ()
  "Return the hover at point."
  (let (text)
    (eglot-hover-eldoc-function (lambda (found &rest _) (setq text found)))
    (test-see "the hover" text)))

(defun test-look ()
  "Hover and completion."
  (test-go-to "restart-case" 2)
  (should (string-match-p "restart-case" (test-hover)))
  (test-go-to "width hieght" 5)
  (let ((found (eglot-completion-at-point)))
    (should (member "width" (mapcar #'substring-no-properties
                                    (all-completions "wid" (nth 2 found)))))))

(defun test-hints ()
  "Return the text of the results drawn in this buffer."
  (mapconcat (lambda (each) (if (overlay-get each 'descartes-hint) (overlay-get each 'after-string) ""))
             (overlays-in (point-min) (point-max)) ""))

(defun test-result-at-its-form ()
  "The value of a form stands behind it until it is edited."
  (test-go-to "(area 2 3)" 10)
  (descartes-eval-last)
  (test-see "the result" (string-match-p "⇒ 6" (test-hints)))
  (goto-char (1- (point)))
  (insert "9")
  ;; Emacs in batch is never idle.
  (descartes-lens-refresh)
  (test-see "the result to go" (not (string-match-p "⇒" (test-hints))))
  (delete-char -1))

(defun test-restart-by-lens ()
  "A lens asks for the argument of its restart."
  (test-see "the old lenses to go" (string-empty-p (test-lenses)))
  (setq test-messages nil)
  (descartes-eval "(average '())")
  (test-see "the lens" (string-match-p "USE-VALUE" (test-lenses)))
  (test-go-to "(restart-case")
  (test-answering ("USE-VALUE" "(* 6 8)") (descartes-lens-run-here))
  (test-see-message "⇒ 48")
  (test-see "the lenses to go" (string-empty-p (test-lenses))))

(defun test-restart-by-code-action ()
  "A code action asks for the argument of its restart."
  (test-see "the old diagnostic to go" (not (test-diagnostic "DIVISION-BY-ZERO")))
  (setq test-messages nil)
  (descartes-eval "(average '())")
  (goto-char (flymake-diagnostic-beg (test-see "the stop" (test-diagnostic "DIVISION-BY-ZERO"))))
  (test-answering ("USE-VALUE" "(* 6 9)")
    (let ((last-nonmenu-event ?a))
      (call-interactively #'eglot-code-actions))
    (test-see-message "⇒ 54")))

(defun test-settings ()
  "Names are completed in the file of settings, and what is wrong is marked."
  (test-write "descartes.toml" "[lisp]\ncomm\nunheard = 1\n")
  (find-file (concat test-workspace "descartes.toml"))
  (funcall test-connect)
  (test-see "the server for the settings" (eglot-managed-p))
  (test-see "what is wrong" (flymake-diagnostics))
  (test-go-to "comm" 4)
  (should (member "command" (mapcar #'substring-no-properties
                                    (all-completions "comm" (nth 2 (eglot-completion-at-point)))))))

(ert-deftest a-session ()
  (test-start)
  (test-look)
  (test-mistake)
  (test-result-at-its-form)
  (test-stop)
  (test-see "the lens of the stop" (string-match-p "■ DIVISION-BY-ZERO" (test-lenses)))
  (test-examine)
  (test-restart-by-button)
  (test-restart-by-lens)
  (test-restart-by-code-action)
  (test-read-a-line)
  (test-two-stops)
  (test-retry-with-fix)
  (test-inspector)
  (test-explore)
  (test-tests)
  (test-notes)
  (test-repl)
  (test-agent #'test-hover #'test-lenses
              (lambda ()
                (goto-char (point-min))
                (test-answering ("take over") (descartes-lens-run-here))))
  (test-whiteboard)
  (test-wisdom)
  (test-settings)
  ;; Else Emacs would end in the middle of an answer.
  (eglot-shutdown (descartes-connection)))

(provide 'eglot-session)
;;; eglot-session.el ends here
