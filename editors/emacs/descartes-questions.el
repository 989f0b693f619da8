;;; descartes-questions.el --- Questions of runs and of restores -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A question is announced in the echo area and answered by `descartes-answer',
;; C-c C-q.

;;; Code:

(require 'descartes)

(defvar descartes-questions nil
  "The questions that are open now, as the server sent them.")

(defvar descartes-questions--announced nil)

(defun descartes-questions-update (questions)
  "Take in QUESTIONS, all that are open now; new ones are announced."
  (setq descartes-questions questions)
  (dolist (question questions)
    (let ((id (plist-get question :id)))
      (unless (or (member id descartes-questions--announced)
                  (equal (plist-get question :kind) "restart"))
        (push id descartes-questions--announced)
        (message "Descartes asks: %s  (C-c C-q)" (plist-get question :title)))))
  (force-mode-line-update t))

(defun descartes--pick (prompt things)
  "Return the one of THINGS that is picked by its title, after PROMPT.
The only one is not asked for."
  (if (cdr things)
      (let ((titles (mapcar (lambda (each) (cons (plist-get each :title) each)) things)))
        (cdr (assoc (completing-read prompt titles nil t) titles)))
    (car things)))

(defun descartes--with-detail (question function)
  "Call FUNCTION while the detail of QUESTION is shown in another window."
  (if (string-blank-p (or (plist-get question :detail) ""))
      (funcall function)
    (let* ((buffer (get-buffer-create "*descartes-question*"))
           (window (with-current-buffer buffer
                     (let ((inhibit-read-only t))
                       (erase-buffer)
                       (insert (plist-get question :title) "\n\n" (plist-get question :detail) "\n")
                       (goto-char (point-min)))
                     (special-mode)
                     (display-buffer buffer '(nil (inhibit-same-window . t))))))
      (unwind-protect (funcall function)
        (when (window-live-p window)
          (quit-restore-window window 'kill))))))

(defun descartes--read-paths (question)
  "Return the files of QUESTION that the person names, the last first.
Nil stands for all of them."
  (let ((files (mapcar (lambda (each) (plist-get each :path))
                       (plist-get (plist-get question :data) :files))))
    (nreverse (completing-read-multiple "Only these files (nothing: all of them): " files nil t))))

(defun descartes--read-answer (question)
  "Ask for the answer to QUESTION, as parameters of intervention.answer."
  (let* ((titles (mapcar (lambda (each) (cons (plist-get each :title) each)) (plist-get question :choices)))
         (title (completing-read (concat (plist-get question :title) ": ") titles nil t))
         (choice (cdr (assoc title titles)))
         (params (list :id (plist-get question :id) :choice (plist-get choice :id)))
         arguments)
    (seq-doseq (name (plist-get choice :arguments))
      (let ((text (if (equal name "paths")
                      (setq arguments (descartes--read-paths question))
                    (read-string (format "%s: " name)))))
        (cond ((consp text))
              ((null text))
              ((not (equal name "reason")) (push text arguments))
              ((not (string-empty-p text)) (setq params (append params (list :reason text)))))))
    (append params (when arguments (list :arguments (vconcat (nreverse arguments)))))))

(defun descartes-answer ()
  "Answer a question that a run asks."
  (interactive)
  (unless descartes-questions
    (user-error "No question is open"))
  (let* ((question (descartes--pick "Question: " descartes-questions))
         (params (descartes--with-detail question (lambda () (descartes--read-answer question)))))
    (descartes-call "intervention.answer" params)))

(provide 'descartes-questions)
;;; descartes-questions.el ends here
