;;; descartes-profile.el --- Where the time goes -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-profile' and `descartes-profile-form' evaluate something under the
;; profiler; `descartes-profile-start' and `descartes-profile-stop' watch all that
;; the image does meanwhile.  With a prefix argument they ask for what is counted.
;;
;; The result is a flame graph as text.  In it:
;;
;;   f  the functions that took most     b  the flame graph in the browser
;;   r  the profiler's own report        q  bury it

;;; Code:

(require 'descartes)
(require 'descartes-explore)

(defface descartes-flame '((((background dark)) :foreground "#ff9e4a") (t :foreground "#c2410c"))
  "The bar of a function in a flame graph." :group 'descartes)

(defconst descartes-profile--width 24 "Columns of a bar that stands for all.")
(defconst descartes-profile--least 0.01 "What took a smaller part than this is left out of the graph.")

(defvar-local descartes-profile--result nil "The profile that is shown, as the server sent it.")

(defvar descartes-profile-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map "f" #'descartes-profile-functions)
    (define-key map "b" #'descartes-profile-browse)
    (define-key map "r" #'descartes-profile-report)
    map)
  "Keys of a profile.")

(define-derived-mode descartes-profile-mode special-mode "Lisp-Profile"
  "Where the time went."
  (setq truncate-lines t
        header-line-format " f functions · b flame graph in the browser · r report"))

;;; The graph

(cl-defstruct descartes-profile-node name (count 0) (deepest 1) children)

(defun descartes-profile--child (node name)
  "Return the child of NODE that is called NAME; there is one from now on."
  (or (cl-find name (descartes-profile-node-children node) :key #'descartes-profile-node-name :test #'equal)
      (car (push (make-descartes-profile-node :name name) (descartes-profile-node-children node)))))

(defun descartes-profile--add (root stack weight)
  "Add STACK, names from the outermost on, to ROOT with WEIGHT.
A function that calls itself is one node."
  (let ((node root) (depth 1))
    (cl-incf (descartes-profile-node-count root) weight)
    (dolist (name stack)
      (if (equal name (descartes-profile-node-name node))
          (setf (descartes-profile-node-deepest node)
                (max (cl-incf depth) (descartes-profile-node-deepest node)))
        (setq node (descartes-profile--child node name)
              depth 1)
        (cl-incf (descartes-profile-node-count node) weight)))))

(defun descartes-profile--tree (speedscope)
  "Return SPEEDSCOPE, such a file as property lists, as one tree."
  (let ((names (plist-get (plist-get speedscope :shared) :frames))
        (root (make-descartes-profile-node)))
    (seq-doseq (profile (plist-get speedscope :profiles))
      (cl-loop for stack across (plist-get profile :samples)
               for weight across (plist-get profile :weights)
               do (descartes-profile--add
                   root (mapcar (lambda (frame) (plist-get (aref names frame) :name)) stack) weight)))
    root))

(defun descartes-profile--recursion (node)
  "Return how deep the function of NODE called itself, as text."
  (if (> (descartes-profile-node-deepest node) 1)
      (propertize (format "  called itself, %d deep" (descartes-profile-node-deepest node)) 'face 'shadow)
    ""))

(defun descartes-profile--insert (node whole depth)
  "Insert NODE, at DEPTH, as its part of WHOLE, and what it called."
  (let* ((part (/ (descartes-profile-node-count node) (float whole)))
         (bar (max 1 (round (* part descartes-profile--width)))))
    (when (>= part descartes-profile--least)
      (insert (format "%4d%% " (round (* 100 part)))
              (propertize (make-string bar ?█) 'face 'descartes-flame)
              (make-string (- (1+ descartes-profile--width) bar) ?\s)
              (make-string (* 2 depth) ?\s)
              (propertize (descartes-profile-node-name node) 'face 'font-lock-function-name-face)
              (descartes-profile--recursion node) "\n")
      (dolist (each (seq-sort-by #'descartes-profile-node-count #'> (descartes-profile-node-children node)))
        (descartes-profile--insert each whole (1+ depth))))))

(defun descartes-profile--graph (result)
  "Insert the flame graph of RESULT."
  (let* ((file (plist-get result :speedscope))
         (tree (with-temp-buffer
                 (insert-file-contents file)
                 (descartes-profile--tree (json-parse-buffer :object-type 'plist))))
         (whole (descartes-profile-node-count tree)))
    (if (zerop whole)
        (insert (propertize "It was too short for a sample\n" 'face 'shadow))
      (dolist (each (seq-sort-by #'descartes-profile-node-count #'> (descartes-profile-node-children tree)))
        (descartes-profile--insert each whole 0)))))

(defun descartes-profile--show (result)
  "Show RESULT, and what the code that was profiled has come to."
  (with-current-buffer (get-buffer-create "*descartes-profile*")
    (descartes-profile-mode)
    (setq descartes-profile--result result)
    (let ((inhibit-read-only t))
      (erase-buffer)
      (insert (propertize (format "%s: %d samples in %.2f s\n\n" (plist-get result :mode)
                                  (plist-get result :samples) (/ (plist-get result :elapsedMs) 1000.0))
                          'face 'bold))
      (descartes-profile--graph result)
      (goto-char (point-min)))
    (display-buffer (current-buffer)))
  (when-let ((evaluation (plist-get result :evaluation)))
    (descartes-show-evaluation evaluation)))

(defun descartes-profile-functions ()
  "Show the functions that took most."
  (interactive)
  (descartes--show-table "functions" '(("Self" 8 :self) ("Total" 8 :total) ("Function" 60 :name))
                         (append (plist-get descartes-profile--result :flat) nil)
                         (lambda (entry) (descartes-describe (plist-get entry :name)))))

(defun descartes-profile-browse ()
  "Show the flame graph in the browser."
  (interactive)
  (browse-url-of-file (plist-get descartes-profile--result :svg)))

(defun descartes-profile-report ()
  "Show the profiler's own report."
  (interactive)
  (view-file-other-window (plist-get descartes-profile--result :report)))

;;; Commands

(defun descartes-profile--read-mode ()
  "Return what is counted: processor time without a prefix argument."
  (if current-prefix-arg
      (completing-read "Count (cpu: processor time, alloc: allocation, time: on the clock): "
                       '("cpu" "alloc" "time") nil t nil nil "cpu")
    "cpu"))

(defun descartes-profile (code &optional mode)
  "Evaluate CODE under the profiler and show where the time went, counted in MODE."
  (interactive (list (read-string "Profile: ") (descartes-profile--read-mode)))
  (descartes-call "lisp.profile" (list :code code :mode (or mode "cpu")) #'descartes-profile--show))

(defun descartes-profile-form (&optional mode)
  "Evaluate the top-level form at point under the profiler, which counts in MODE."
  (interactive (list (descartes-profile--read-mode)))
  (descartes-call "lisp.profile" (append (descartes--here) (list :mode (or mode "cpu")))
                  #'descartes-profile--show))

(defun descartes-profile-start (&optional mode)
  "Begin to watch all that the image does, counting in MODE."
  (interactive (list (descartes-profile--read-mode)))
  (descartes-call "lisp.profileStart" (list :mode (or mode "cpu"))
                  (lambda (_) (message "Profiling; M-x descartes-profile-stop shows the result"))))

(defun descartes-profile-stop ()
  "End what `descartes-profile-start' began and show where the time went."
  (interactive)
  (descartes-call "lisp.profileStop" nil #'descartes-profile--show))

(provide 'descartes-profile)
;;; descartes-profile.el ends here
