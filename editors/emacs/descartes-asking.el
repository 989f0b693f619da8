;;; descartes-asking.el --- Lines that the image and the server ask for -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What the image reads, and the server's own questions, are asked for in the
;; minibuffer; `descartes-reply', C-c C-i, answers one that came meanwhile.

;;; Code:

(require 'descartes)

(defvar descartes--asked nil
  "Questions that wait for an answer: lists of prompt, kind and a function.")

(defun descartes-ask (prompt kind answer &optional tag)
  "Ask a question of the server with PROMPT; ANSWER gets the text, or nil.
KIND is \"line\", \"yesOrNo\" or a list of choices; TAG is what a program
that reads calls it.  It is asked at once when
the last command was one of ours, else when the person says so: nobody's
typing may end up as an answer."
  (setq descartes--asked (append descartes--asked (list (list prompt kind answer tag))))
  (if (and (zerop (minibuffer-depth)) (symbolp last-command)
           (string-prefix-p "descartes-" (symbol-name last-command)))
      (run-at-time 0 nil #'descartes-reply)
    (message "Descartes: %s  (C-c C-i)" prompt)))

(defun descartes-reply ()
  "Answer the oldest question of the image or the server."
  (interactive)
  (pcase-let ((`(,prompt ,kind ,answer) (or (pop descartes--asked)
                                            (user-error "Nothing is asked now"))))
    (funcall answer
             (condition-case nil
                 (pcase kind
                   ("yesOrNo" (if (yes-or-no-p prompt) "yes" "no"))
                   ((pred listp) (completing-read (concat prompt " ") kind nil t))
                   (_ (read-string prompt)))
               (quit nil)))))

(defun descartes-input-wanted (params answer)
  "Ask for the input that PARAMS describe; ANSWER gets the text."
  (let ((prompt (or (plist-get params :prompt) "")))
    (descartes-ask (if (string-blank-p prompt) "Lisp reads: " prompt)
                   (or (plist-get params :kind) "line") answer (plist-get params :tag))))

(defun descartes-input-ended (params)
  "Forget the question of PARAMS, too late for an answer.
One that is being answered stays; the server refuses its answer."
  (let ((tag (plist-get params :tag)))
    (setq descartes--asked
          (cl-remove-if (lambda (asked) (and tag (equal (nth 3 asked) tag))) descartes--asked)))
  (message "Descartes: the program does not read its input any more"))

(defun descartes-secret-wanted (params answer)
  "Ask for the secret that PARAMS describe and write it to their pipe.
ANSWER is told whether it was given; the secret itself is in no
message, so that no log has it."
  (run-with-timer
   0 nil
   (lambda ()
     (let ((text (condition-case nil
                     (read-passwd (concat (plist-get params :prompt) ": "))
                   (quit ""))))
       (unless (string-empty-p text)
         (let ((coding-system-for-write 'utf-8-unix)
               (write-region-inhibit-fsync t))
           (write-region text nil (plist-get params :pipe) nil 'silent)))
       (funcall answer (list :given (if (string-empty-p text) :json-false t)))
       (clear-string text)))))

(provide 'descartes-asking)
;;; descartes-asking.el ends here
