;;; descartes-frames.el --- What is done in a frame of a stopped thread -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; The commands and keys of the debugger that are about the frame at point: its
;; variables, its source, evaluating in it, calling it again, and stepping on.

;;; Code:

(require 'descartes)
(require 'descartes-debugger)

(declare-function descartes-inspector--open "descartes-inspector")
(declare-function descartes--show-text "descartes-explore")
(declare-function descartes--go-to "descartes-explore")

(defun descartes-frames--frame ()
  "Return the frame at point."
  (or (get-text-property (point) 'descartes-frame) (user-error "No frame here")))

(defun descartes-frames-params ()
  "Return the parameters that name the frame at point."
  (append (descartes-stops-key (descartes-stops-at-point))
          (list :frame (plist-get (descartes-frames--frame) :index))))

;;; Moving

(defun descartes-frames--move (step)
  "Go to the next line of a frame in the direction of STEP, 1 or -1."
  (let ((start (point)))
    (beginning-of-line)
    (while (and (zerop (forward-line step))
                (not (eobp))
                (not (get-text-property (point) 'descartes-frame-line))))
    (unless (get-text-property (point) 'descartes-frame-line)
      (goto-char start)
      (user-error "No frame further on"))))

(defun descartes-debugger-next-frame ()
  "Go to the next frame, an outer one."
  (interactive)
  (descartes-frames--move 1))

(defun descartes-debugger-previous-frame ()
  "Go to the frame before, an inner one."
  (interactive)
  (descartes-frames--move -1))

(defun descartes-frames--look (step)
  "Hide the variables here, go on by STEP, and show those there and the source."
  (when (and (get-text-property (point) 'descartes-frame) (descartes-frames--shown))
    (descartes-debugger-toggle-locals))
  (descartes-frames--move step)
  (unless (descartes-frames--shown)
    (descartes-debugger-toggle-locals))
  (when (plist-get (descartes-frames--frame) :location)
    (descartes-debugger-show-source)))

(defun descartes-debugger-look-next ()
  "Show the variables and the source of the next frame alone."
  (interactive)
  (descartes-frames--look 1))

(defun descartes-debugger-look-previous ()
  "Show the variables and the source of the frame before alone."
  (interactive)
  (descartes-frames--look -1))

;;; Looking

(defun descartes-frames--inspect (&rest more)
  "Inspect what MORE, parameters, name in the frame at point."
  (descartes-inspector--open (append (descartes-frames-params) more)))

(defun descartes-debugger-inspect (code)
  "Inspect the value of CODE, evaluated in the frame at point."
  (interactive "sInspect in frame: ")
  (descartes-frames--inspect :expression code))

(defun descartes-debugger-inspect-condition ()
  "Inspect the condition of the stop at point."
  (interactive)
  (descartes-inspector--open (descartes-stops-key (descartes-stops-at-point))))

(defun descartes-debugger-act ()
  "Invoke the restart at point, or show or hide the variables of its frame."
  (interactive)
  (cond ((button-at (point)) (push-button))
        ((get-text-property (point) 'descartes-local)
         (descartes-frames--inspect :local (plist-get (get-text-property (point) 'descartes-local) :name)))
        ((get-text-property (point) 'descartes-frame) (descartes-debugger-toggle-locals))
        ((save-excursion (beginning-of-line) (forward-button 1 nil nil t)
                         (and (button-at (point)) (<= (point) (line-end-position))))
         (push-button (next-button (line-beginning-position))))))

(defun descartes-frames--shown ()
  "Return the variables of the frame at point, if they are shown."
  (gethash (descartes-debugger--key (descartes-stops-at-point) (descartes-frames--frame))
           descartes-debugger--locals))

(defun descartes-frames--fetch (stop frame &optional failed)
  "Ask for the variables of FRAME of STOP and show them.
FAILED, without which it is told, is called when there are none."
  (descartes-call "debugger.frame"
                  (append (descartes-stops-key stop) (list :frame (plist-get frame :index)))
                  (lambda (detail)
                    (puthash (descartes-debugger--key stop frame) detail descartes-debugger--locals)
                    (descartes-debugger--render))
                  failed))

(defvar descartes-frames--followed nil
  "Frames looked into at each step, as `descartes-frames--call' names them.")

(defconst descartes-frames--most-followed 50 "How many frames are followed; the oldest is forgotten.")

(defun descartes-frames--call (stop frame)
  "Return what names FRAME of STOP at every step of its evaluation.
It is a call of that function at that depth."
  (list (plist-get stop :evaluation) (plist-get stop :thread) (plist-get stop :level)
        (- (plist-get stop :frameCount) (plist-get frame :index))
        (car (split-string (plist-get frame :description) " "))))

(defun descartes-frames--follow ()
  "Show the variables of those frames again that were shown at an earlier step."
  (when-let ((buffer (and descartes-frames--followed (get-buffer descartes-debugger-buffer))))
    (with-current-buffer buffer
      (dolist (stop descartes-debuggers)
        (seq-doseq (frame (plist-get stop :frames))
          (and (member (descartes-frames--call stop frame) descartes-frames--followed)
               (not (gethash (descartes-debugger--key stop frame) descartes-debugger--locals))
               (descartes-frames--fetch stop frame #'ignore)))))))

(add-hook 'descartes-stops-functions #'descartes-frames--follow)

(defun descartes-debugger-toggle-locals ()
  "Show or hide the variables of the frame at point, at each step from here too."
  (interactive)
  (let* ((stop (descartes-stops-at-point)) (frame (descartes-frames--frame))
         (call (descartes-frames--call stop frame)))
    (setq descartes-frames--followed (remove call descartes-frames--followed))
    (if (descartes-frames--shown)
        (progn (remhash (descartes-debugger--key stop frame) descartes-debugger--locals)
               (descartes-debugger--render))
      (setq descartes-frames--followed
            (seq-take (cons call descartes-frames--followed) descartes-frames--most-followed))
      (descartes-frames--fetch stop frame))))

(defun descartes-debugger-more-frames ()
  "Show more frames of the stop at point."
  (interactive)
  (let* ((stop (descartes-stops-at-point))
         (key (descartes-debugger--key stop nil))
         (more (gethash key descartes-debugger--locals))
         (from (+ (length (plist-get stop :frames)) (length more))))
    (descartes-call "debugger.frames"
                    (append (descartes-stops-key stop)
                            (list :start from :end (min (+ from 50) (plist-get stop :frameCount))))
                    (lambda (result)
                      (puthash key (append more (plist-get result :frames) nil) descartes-debugger--locals)
                      (descartes-debugger--render)))))

(defun descartes-debugger-show-source ()
  "Show the source of the frame at point, else of the stop."
  (interactive)
  (let ((frame (get-text-property (point) 'descartes-frame)))
    (cond ((null frame)
           (descartes--go-to (plist-get (descartes-stops-at-point) :location)))
          ((plist-get frame :location)
           (descartes--go-to (plist-get frame :location)))
          (t (descartes-call "debugger.frame" (descartes-frames-params)
                             (lambda (detail)
                               (descartes--go-to (plist-get detail :location))))))))

;;; Evaluating

(defun descartes-frames--eval (code show)
  "Evaluate CODE in the frame at point; SHOW gets the evaluation."
  (let ((stop (descartes-stops-at-point)) (frame (descartes-frames--frame)))
    (descartes-call "debugger.evalInFrame" (append (descartes-frames-params) (list :code code))
                    (lambda (evaluation)
                      (funcall show evaluation)
                      (when (and (equal (plist-get evaluation :state) "done")
                                 (gethash (descartes-debugger--key stop frame) descartes-debugger--locals))
                        (descartes-frames--fetch stop frame))))))

(defun descartes-debugger-eval-in-frame (code)
  "Evaluate CODE with the variables of the frame at point."
  (interactive "sEvaluate in frame: ")
  (descartes-frames--eval code #'descartes-show-evaluation))

(defun descartes-debugger-print-in-frame (code)
  "Evaluate CODE with the variables of the frame at point.
Its value is printed in full."
  (interactive "sEvaluate in frame and print: ")
  (descartes-frames--eval
   (format "(cl:with-output-to-string (cl:*standard-output*)
  (cl:let ((cl:*print-length* cl:nil) (cl:*print-level* cl:nil) (cl:*print-lines* cl:nil) (cl:*print-right-margin* 90))
    (cl:pprint (cl:progn %s\n))))" code)
   (lambda (evaluation)
     (if (equal (plist-get evaluation :state) "done")
         (descartes--show-text "value" (descartes-frames--unquoted (seq-first (plist-get evaluation :values))) t)
       (descartes-show-evaluation evaluation)))))

(defun descartes-frames--unquoted (text)
  "Return the string that is written as TEXT in Lisp."
  (string-trim-left (replace-regexp-in-string "\\\\\\(.\\)" "\\1" (substring text 1 -1)) "\n"))

(defun descartes-debugger-return-from-frame (code)
  "Return the value of CODE from the frame at point."
  (interactive "sReturn from frame: ")
  (descartes-call "debugger.returnFromFrame" (append (descartes-frames-params) (list :code code))
                  #'descartes-stops-left))

(defun descartes-frames--forms (text)
  "Return the forms of TEXT, as texts."
  (with-temp-buffer
    (set-syntax-table lisp-mode-syntax-table)
    (insert text)
    (goto-char (point-min))
    (let (found start)
      (while (progn (skip-chars-forward " \t\n") (not (eobp)))
        (setq start (point))
        (forward-sexp)
        (push (buffer-substring-no-properties start (point)) found))
      (nreverse found))))

(defun descartes-frames--read-arguments (description)
  "Return the texts of the arguments that the person gives for a frame.
DESCRIPTION is its call as it is shown."
  (let* ((form (condition-case nil (read description) (error nil)))
         (before (and (consp form) (proper-list-p form)
                      (mapconcat #'prin1-to-string (cdr form) " "))))
    (vconcat (descartes-frames--forms
              (read-string (format "Arguments of %s: " (if (consp form) (car form) "the call")) before)))))

(defun descartes-debugger-restart-frame (edit)
  "Call the function of the frame at point again; with EDIT, ask for its arguments."
  (interactive "P")
  (descartes-call "debugger.restartFrame"
                  (append (descartes-frames-params)
                          (when edit
                            (list :arguments (descartes-frames--read-arguments
                                              (plist-get (descartes-frames--frame) :description)))))
                  #'descartes-stops-left))

(defun descartes-debugger-recompile ()
  "Compile the function of the frame at point again with full debug."
  (interactive)
  (descartes-call "debugger.recompile" (descartes-frames-params) #'descartes--show-compilation))

;;; Stepping

(defun descartes-debugger-step-into ()
  "Go on to the next form evaluated."
  (interactive)
  (descartes-stops--leave "debugger.step" :kind "into"))

(defun descartes-debugger-step-over ()
  "Go on to the next form of this function."
  (interactive)
  (descartes-stops--leave "debugger.step" :kind "next"))

(defun descartes-debugger-step-out ()
  "Go on until the end of this function."
  (interactive)
  (descartes-stops--leave "debugger.step" :kind "out"))

(let ((map descartes-debugger-mode-map))
  (define-key map (kbd "RET") #'descartes-debugger-act)
  (define-key map "n" #'descartes-debugger-next-frame)
  (define-key map "p" #'descartes-debugger-previous-frame)
  (define-key map (kbd "M-n") #'descartes-debugger-look-next)
  (define-key map (kbd "M-p") #'descartes-debugger-look-previous)
  (define-key map "t" #'descartes-debugger-toggle-locals)
  (define-key map "m" #'descartes-debugger-more-frames)
  (define-key map "i" #'descartes-debugger-inspect)
  (define-key map "C" #'descartes-debugger-inspect-condition)
  (define-key map "v" #'descartes-debugger-show-source)
  (define-key map "e" #'descartes-debugger-eval-in-frame)
  (define-key map "d" #'descartes-debugger-print-in-frame)
  (define-key map "r" #'descartes-debugger-restart-frame)
  (define-key map "R" #'descartes-debugger-return-from-frame)
  (define-key map "D" #'descartes-debugger-recompile)
  (define-key map "s" #'descartes-debugger-step-into)
  (define-key map "x" #'descartes-debugger-step-over)
  (define-key map "o" #'descartes-debugger-step-out))

(provide 'descartes-frames)
;;; descartes-frames.el ends here
