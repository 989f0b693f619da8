;;; descartes-frame-console.el --- A console in a stopped frame -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `z' in the debugger opens a REPL in the frame at point: what is typed there
;; is evaluated with the frame's variables, until the frame is left.

;;; Code:

(require 'descartes-frames)
(require 'descartes-repl)

(defvar-local descartes-frame-console--stop nil "The stop whose frame this console is in; nil once that is left.")

(defun descartes-frame-console--name (stop frame)
  "Return the name of the buffer for FRAME of STOP."
  (format "*descartes-frame: thread %s, level %s, frame %s*" (plist-get stop :thread) (plist-get stop :level)
          (plist-get frame :index)))

(defun descartes-frame-console--open (stop frame origin)
  "Return a new console in FRAME of STOP, opened from the buffer ORIGIN."
  (let ((params (append (descartes-stops-key stop) (list :frame (plist-get frame :index)))))
    (with-current-buffer (descartes-repl--make (descartes-frame-console--name stop frame)
                                               (cons "debugger.evalInFrame" params) origin
                                               (format "[%s]" (plist-get frame :index)))
      (setq descartes-frame-console--stop stop)
      (descartes-repl--insert (format "; in %s\n" (plist-get frame :description)) 'font-lock-face 'shadow)
      (descartes-call "debugger.frame" params #'descartes-frame-console--enter #'ignore)
      (current-buffer))))

(defun descartes-frame-console--enter (detail)
  "Take the package of the frame from DETAIL, and show its variables' names."
  (when-let ((package (plist-get detail :package)))
    (setq descartes-repl-package package))
  (when-let ((names (mapcar (lambda (each) (downcase (plist-get each :name))) (plist-get detail :locals))))
    (descartes-repl--insert (format "; variables: %s\n" (string-join names " ")) 'font-lock-face 'shadow)))

(defun descartes-debugger-console ()
  "Open a console in the frame at point and go there."
  (interactive)
  (let* ((stop (descartes-stops-at-point))
         (frame (descartes-frames--frame))
         (buffer (get-buffer (descartes-frame-console--name stop frame))))
    (unless (and buffer (buffer-local-value 'descartes-frame-console--stop buffer))
      (when buffer (kill-buffer buffer))
      (setq buffer (descartes-frame-console--open stop frame (current-buffer))))
    (pop-to-buffer buffer)
    (goto-char (point-max))))

(defun descartes-frame-console--there-p ()
  "Return non-nil while the stop of this console is one."
  (when-let ((now (descartes-stops-find descartes-frame-console--stop)))
    (equal (plist-get now :evaluation) (plist-get descartes-frame-console--stop :evaluation))))

(defun descartes-frame-console--check ()
  "End the consoles whose stop was left."
  (dolist (buffer (descartes-repl--all))
    (with-current-buffer buffer
      (when (and descartes-frame-console--stop (not (descartes-frame-console--there-p)))
        (setq descartes-frame-console--stop nil
              buffer-read-only t)
        (descartes-repl--insert "; the frame was left\n" 'font-lock-face 'descartes-repl-problem)))))

(add-hook 'descartes-stops-functions #'descartes-frame-console--check)

(define-key descartes-debugger-mode-map "z" #'descartes-debugger-console)

(provide 'descartes-frame-console)
;;; descartes-frame-console.el ends here
